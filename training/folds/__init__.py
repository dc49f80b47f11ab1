"""Splits of a cohort: families together, nested folds."""
