"""Reading request bodies as they arrive: forms, archives, uploads."""
