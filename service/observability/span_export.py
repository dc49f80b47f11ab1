"""Sending spans away. Loaded only where there is somewhere to send them to; never in the way of the service's work."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from time import monotonic

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from service.observability.metrics import SPANS
from service.observability.version import service_version

log = structlog.stdlib.get_logger(__name__)
EXPORT_TIMEOUT_SECONDS = 3.0
"""Most that one batch of spans may take, attempts again included."""
SHUTDOWN_TIMEOUT_SECONDS = 2.0
"""Most that the end of a process waits for its last spans."""
EXPORT_INTERVAL_SECONDS = 2.0
WARNING_INTERVAL_SECONDS = 60.0


def open_provider(url: str, share: float, process: str) -> TracerProvider:
    """Traces a share of what begins here, and of what began elsewhere that which is traced there."""
    resource = Resource.create({"service.name": f"hilbert-{process}", "service.version": service_version()})
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(share)), resource=resource, shutdown_on_exit=False)
    exporter = CountingExporter(OTLPSpanExporter(endpoint=url, timeout=EXPORT_TIMEOUT_SECONDS))
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000 * EXPORT_INTERVAL_SECONDS))
    return provider


def close_provider(provider: TracerProvider) -> None:
    """Send what is left, for a moment; a receiver that does not answer holds nobody up."""
    closing = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
    closing.start()
    closing.join(SHUTDOWN_TIMEOUT_SECONDS)


class CountingExporter(SpanExporter):
    """Counts what was sent and what was lost, and says at most once a minute that something was."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._silent_until = 0.0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; a failure is a value, never an exception."""
        try:
            result = self._exporter.export(spans)
        except Exception:  # whatever it is, traces are not worth more than a line
            result = SpanExportResult.FAILURE
        sent = result is SpanExportResult.SUCCESS
        SPANS.labels(outcome="sent" if sent else "lost").inc(len(spans))
        if not sent and monotonic() >= self._silent_until:
            self._silent_until = monotonic() + WARNING_INTERVAL_SECONDS
            log.warning("traces could not be sent", spans=len(spans))
        return result

    def shutdown(self) -> None:
        """Send nothing more."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is held back here."""
        return self._exporter.force_flush(timeout_millis)
