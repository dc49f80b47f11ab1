"""What FastAPI cannot derive for the OpenAPI document: problems and examples."""
