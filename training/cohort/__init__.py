"""Labelled recordings described by a manifest, and all that can be wrong with one."""
