"""Request and response bodies; OpenAPI is generated from them."""
