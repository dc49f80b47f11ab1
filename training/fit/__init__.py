"""Training of one network or a stack of folds."""
