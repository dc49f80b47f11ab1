"""Training: from a labelled cohort to a checkpoint and a bundle. The service does not import it."""
