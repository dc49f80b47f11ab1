"""HILBERT itself, in torch: projection, cross-modal attention, pooling, experts (METHOD.md, Network)."""
