"""Webhooks: outbox, deliveries, URL policy and signing."""
