"""The models that HILBERT is held against, trained on the same folds with the same budget; none of them ships."""
