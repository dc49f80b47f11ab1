"""The whole service on one machine: supervisor and the programs of `hilbert serve`."""
