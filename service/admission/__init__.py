"""Admission control, queue positions and estimated finish times."""
