"""Documents with labels, padded and stacked for training."""
