"""Frozen speech and language encoders on ONNX Runtime: one feature vector a segment."""
