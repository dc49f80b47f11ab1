"""Shapes are types, and under pytest they are checked at every call (DESIGN, convention 2)."""

from jaxtyping import install_import_hook

install_import_hook("model", "beartype.beartype")
