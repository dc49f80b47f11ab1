"""Baselines: models on the same folds and with the same budget as HILBERT; none is released."""
