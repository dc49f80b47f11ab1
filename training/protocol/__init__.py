"""The nested cross-validation protocol, from experiment to released network."""
