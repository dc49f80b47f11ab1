"""ASGI middleware: request ids, metrics, traces, retried reads."""
