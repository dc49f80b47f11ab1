"""Traces of a recording through API, queue and workers, exported to an OTLP receiver.

Without a receiver nothing is traced, and only the small OpenTelemetry API is imported. Span attributes hold ids, words
and numbers of the service, and the type of an error without its message: nothing that a client wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Link, NoOpTracer, Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

HEADER = "traceparent"
NANOSECONDS = 1_000_000_000
PROPAGATOR = TraceContextTextMapPropagator()
Attributes = Mapping[str, str | int | float | bool]


class _Process:
    """The tracer of this process. Not OpenTelemetry's global one: frameworks would use it and record client data."""

    tracer: Tracer = NoOpTracer()
    on = False


@contextmanager
def tracing(settings: Settings, process: str) -> Iterator[None]:
    """Trace while the block runs, if a receiver is configured; the remaining spans are exported at the end."""
    if settings.traces_url is None:
        yield
        return
    from service.observability.span_export import close_provider, open_provider

    provider = open_provider(settings.traces_url.get_secret_value(), settings.traces_sample_ratio, process)
    with use_provider(provider):
        try:
            yield
        finally:
            close_provider(provider)


@contextmanager
def use_provider(provider: TracerProvider) -> Iterator[None]:
    """Trace with this provider while the block runs."""
    before = _Process.tracer, _Process.on
    _Process.tracer, _Process.on = provider.get_tracer("hilbert"), True
    try:
        yield
    finally:
        _Process.tracer, _Process.on = before


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Context | None = None,
    links: tuple[Link, ...] = (),
    attributes: Attributes | None = None,
) -> Iterator[Span]:
    """Trace the block as a child of `parent` or the current span; marks the span with the type of an error."""
    if not _Process.on:
        yield INVALID_SPAN
        return
    with _Process.tracer.start_as_current_span(
        name,
        context=parent,
        kind=kind,
        links=links,
        attributes=attributes,
        # OpenTelemetry would record the message of the exception, which may hold client data (decision 0034).
        record_exception=False,
        set_status_on_exception=False,
    ) as present:
        try:
            yield present
        except Exception as error:
            mark_failed(present, type(error).__name__)
            raise


@contextmanager
def leaf_span(name: str) -> Iterator[None]:
    """Trace the block without making its span the current one: what the block causes follows from the outer span."""
    present = _Process.tracer.start_span(name)
    try:
        yield
    except Exception as error:
        mark_failed(present, type(error).__name__)
        raise
    finally:
        present.end()


def record_wait(name: str, parent: Context, begin: datetime, end: datetime) -> None:
    """Record a wait that is over as a span."""
    if _Process.on and begin < end:
        waited = _Process.tracer.start_span(name, context=parent, start_time=_nanoseconds(begin))
        waited.end(end_time=_nanoseconds(end))


def mark_failed(present: Span, error_type: str) -> None:
    """Mark the span as failed with the type of its error."""
    present.set_attribute("error.type", error_type)
    present.set_status(Status(StatusCode.ERROR))


def context_from(traceparent: str | None) -> Context:
    """The context of a W3C `traceparent`; an empty one, which begins a trace, for None or a malformed value."""
    return PROPAGATOR.extract({} if traceparent is None else {HEADER: traceparent}, context=Context())


def links_to(traceparent: str | None) -> tuple[Link, ...]:
    """Links to the span of a `traceparent`: one if the span was sampled, else none."""
    named = trace.get_current_span(context_from(traceparent)).get_span_context()
    return (Link(named),) if named.is_valid and named.trace_flags.sampled else ()


def current_traceparent() -> str | None:
    """The current span as a W3C `traceparent`; None when nothing is traced."""
    if not _Process.on:
        return None
    carrier: dict[str, str] = {}
    PROPAGATOR.inject(carrier)
    return carrier.get(HEADER)


def current_ids() -> dict[str, str]:
    """Ids of the current trace and span for a log line; empty when nothing is traced."""
    present = trace.get_current_span().get_span_context()
    if not _Process.on or not present.is_valid:
        return {}
    return {"trace_id": f"{present.trace_id:032x}", "span_id": f"{present.span_id:016x}"}


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * NANOSECONDS)
