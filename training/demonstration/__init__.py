"""The demonstration bundle and its evaluation on held-out speakers."""
