"""Encoder graphs in float16 and int8."""
