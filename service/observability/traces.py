"""Traces: the way of one recording through API, queue and workers, span by span, sent to an OTLP receiver.

Without a receiver nothing is traced, and of OpenTelemetry this service loads only its small API. A span holds ids,
words and numbers of the service; of an error its type and never its message; nothing that a client wrote.
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
    """The tracer of this process; the library's global one would also be used by frameworks, which record more."""

    tracer: Tracer = NoOpTracer()
    on = False


@contextmanager
def tracing(settings: Settings, process: str) -> Iterator[None]:
    """Trace while the block runs, if there is somewhere to send traces to; what is left is sent at its end."""
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
    """Trace the block, below `parent` or else below the present span; an error that leaves it is noted by its type."""
    if not _Process.on:
        yield INVALID_SPAN
        return
    with _Process.tracer.start_as_current_span(
        name,
        context=parent,
        kind=kind,
        links=links,
        attributes=attributes,
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
    """Trace the block below the present span, which stays the parent of whatever the block brings about."""
    present = _Process.tracer.start_span(name)
    try:
        yield
    except Exception as error:
        mark_failed(present, type(error).__name__)
        raise
    finally:
        present.end()


def record_wait(name: str, parent: Context, begin: datetime, end: datetime) -> None:
    """A span for something that is over already."""
    if _Process.on and begin < end:
        waited = _Process.tracer.start_span(name, context=parent, start_time=_nanoseconds(begin))
        waited.end(end_time=_nanoseconds(end))


def mark_failed(present: Span, error_type: str) -> None:
    """Note that the span's work came to nothing, and why, in a word."""
    present.set_attribute("error.type", error_type)
    present.set_status(Status(StatusCode.ERROR))


def context_from(traceparent: str | None) -> Context:
    """The context that a W3C `traceparent` names; an empty one, which begins a trace, for none and for nonsense."""
    return PROPAGATOR.extract({} if traceparent is None else {HEADER: traceparent}, context=Context())


def links_to(traceparent: str | None) -> tuple[Link, ...]:
    """A link to the span that a `traceparent` names, if that one was recorded."""
    named = trace.get_current_span(context_from(traceparent)).get_span_context()
    return (Link(named),) if named.is_valid and named.trace_flags.sampled else ()


def current_traceparent() -> str | None:
    """The present span as a W3C `traceparent`; None where nothing is traced."""
    if not _Process.on:
        return None
    carrier: dict[str, str] = {}
    PROPAGATOR.inject(carrier)
    return carrier.get(HEADER)


def current_ids() -> dict[str, str]:
    """Ids of the present trace and span, for a log line; empty where nothing is traced."""
    present = trace.get_current_span().get_span_context()
    if not _Process.on or not present.is_valid:
        return {}
    return {"trace_id": f"{present.trace_id:032x}", "span_id": f"{present.span_id:016x}"}


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * NANOSECONDS)
