"""Periodic maintenance: sweeps, retention, expiry, and the state of the queue for operators."""
