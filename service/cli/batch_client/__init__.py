"""The parts of `hilbert batch`: manifest, journal, uploads, results."""
