"""Rows and objects."""
