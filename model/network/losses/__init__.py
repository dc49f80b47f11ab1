"""What the network is trained for: named losses, each a pure function of tensors (docs/method.md, Losses)."""
