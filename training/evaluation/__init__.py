"""Evaluation of out-of-fold predictions: intervals, conformal sets, subgroups, decision curves, baselines."""
