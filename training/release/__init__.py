"""From a checkpoint to a signed bundle."""
