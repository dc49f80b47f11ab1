"""Caches of segment features."""
