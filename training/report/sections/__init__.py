"""The sections of the report, one per file: each shows one kind of measure as text, table and figure."""
