"""The queue: ordering, publishing, redelivery, replacement of lost models."""
