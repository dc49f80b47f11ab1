"""A released model on disk: manifest, graphs, tokenizer, calibration, digests."""
