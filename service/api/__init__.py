"""Requests become jobs, jobs become answers: the HTTP side."""
