"""From torch to ONNX, for encoders and network, each with a parity check."""
