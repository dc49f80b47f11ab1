"""The command line: `hilbert`."""
