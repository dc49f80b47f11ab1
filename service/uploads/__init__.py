"""Uploads: files that clients send ahead of the assessment or batch that uses them."""
