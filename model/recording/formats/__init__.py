"""The formats of transcripts: a parser for each family, and the recognition of a format by its content."""
