"""The worker process that delivers webhooks."""
