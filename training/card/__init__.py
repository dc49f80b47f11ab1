"""The model card of a bundle: one authored source and the numbers of the evaluation, as Markdown and JSON."""
