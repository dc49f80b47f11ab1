"""Losses of the network: named terms, each a pure function of tensors (docs/method.md, Losses)."""
