"""Models that HILBERT is compared with, on the same folds and budget; none is released."""
