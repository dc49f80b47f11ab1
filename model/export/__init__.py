"""Export of encoders and network from torch to ONNX, with parity checks."""
