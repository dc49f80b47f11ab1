"""From a labelled cohort to a checkpoint, and from that to a bundle; never imported by the service."""
