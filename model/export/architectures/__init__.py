"""One exportable torch module for each encoder architecture."""
