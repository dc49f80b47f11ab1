"""The parts of the report, one a file: each says in words, a table and a figure what one kind of measure found."""
