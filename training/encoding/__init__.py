"""Segment features of a cohort."""
