"""Conversion of encoder graphs to float16 and int8."""
