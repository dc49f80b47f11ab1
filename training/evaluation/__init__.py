"""What a run's out-of-fold predictions are worth: intervals, conformal sets, subgroups, decision curves, baseline."""
