"""The command line `hilbert-train`: one file for each group of verbs."""
