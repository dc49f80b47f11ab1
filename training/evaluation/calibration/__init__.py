"""Calibration of probabilities: temperature, slope and intercept, reliability."""
