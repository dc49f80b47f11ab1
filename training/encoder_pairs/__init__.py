"""The evaluation of each pair of a speech and a language encoder."""
