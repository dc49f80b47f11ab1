"""Periodic work: sweeps, retention, expiry, and reports about the queue."""
