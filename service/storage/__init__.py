"""Storage: database rows, leases on them, and the object store."""
