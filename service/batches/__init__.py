"""Batches: many assessments submitted together, with their output files."""
