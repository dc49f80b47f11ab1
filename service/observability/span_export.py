"""Export of spans over OTLP. Imported only when a receiver is configured; a failing one never delays the service."""

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
"""Bound of the export of one batch of spans, retries included."""
SHUTDOWN_TIMEOUT_SECONDS = 2.0
"""How long the end of a process waits for its last spans."""
EXPORT_INTERVAL_SECONDS = 2.0
WARNING_INTERVAL_SECONDS = 60.0


def open_provider(url: str, share: float, process: str) -> TracerProvider:
    """A provider that samples a share of new traces, and follows the decision of the caller for others."""
    resource = Resource.create({"service.name": f"hilbert-{process}", "service.version": service_version()})
    # OpenTelemetry's own hook at the exit would wait for the receiver; `close_provider` bounds that wait.
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(share)), resource=resource, shutdown_on_exit=False)
    exporter = CountingExporter(OTLPSpanExporter(endpoint=url, timeout=EXPORT_TIMEOUT_SECONDS))
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000 * EXPORT_INTERVAL_SECONDS))
    return provider


def close_provider(provider: TracerProvider) -> None:
    """Export the remaining spans, for at most `SHUTDOWN_TIMEOUT_SECONDS`."""
    closing = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
    closing.start()
    closing.join(SHUTDOWN_TIMEOUT_SECONDS)


class CountingExporter(SpanExporter):
    """Counts exported and lost spans, and logs losses at most once a minute."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._silent_until = 0.0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch; a failure is returned and never raised."""
        try:
            result = self._exporter.export(spans)
        except Exception:  # no failure of tracing may reach the code that is traced
            result = SpanExportResult.FAILURE
        sent = result is SpanExportResult.SUCCESS
        SPANS.labels(outcome="sent" if sent else "lost").inc(len(spans))
        if not sent and monotonic() >= self._silent_until:
            self._silent_until = monotonic() + WARNING_INTERVAL_SECONDS
            log.warning("traces could not be sent", spans=len(spans))
        return result

    def shutdown(self) -> None:
        """Stop exporting."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is buffered here."""
        return self._exporter.force_flush(timeout_millis)
