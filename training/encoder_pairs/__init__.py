"""Evaluation of pairs of a speech and a language encoder."""
