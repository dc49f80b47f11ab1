"""Requests become jobs, jobs become results."""
