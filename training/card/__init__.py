"""The model card of a bundle: one authored source, the evaluation's numbers, two forms."""
