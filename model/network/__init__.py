"""The HILBERT network in torch: projection, cross-modal attention, pooling, experts (docs/method.md, Network)."""
