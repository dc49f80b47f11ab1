"""The model: from a recording to a scoring result. It knows no web, queue, database or cloud."""
