"""The errors of the service."""
