"""What `hilbert batch` is made of: manifest, journal, uploads, results."""
