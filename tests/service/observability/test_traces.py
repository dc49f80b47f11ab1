import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode

from service.observability import span_export
from service.observability.traces import (
    context_from,
    current_ids,
    current_traceparent,
    links_to,
    record_wait,
    span,
    tracing,
)
from service.setting_groups import REPOSITORY
from service.settings import Settings
from tests.otlp import TraceReceiver
from tests.receiver import Receiver
from tests.waiting import wait_for

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
WITHOUT_SDK = """
import sys
import service.api.app, service.worker.main
heavy = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "requests")
assert not [name for name in sys.modules if name.startswith(heavy)]
"""


def exported(share=1.0, *, parents=(None,)):
    """What a receiver gets of a span below each of these parents."""
    with TraceReceiver() as receiver:
        with tracing(Settings(traces_url=receiver.url, traces_sample_ratio=share), "test"):
            for number, parent in enumerate(parents):
                with span(f"work {number}", parent=context_from(parent), attributes={"a.b": number}):
                    pass
        return receiver.spans


def test_without_a_receiver_nothing_is_traced_and_nothing_is_loaded():
    with tracing(Settings(), "test"), span("work") as present:
        assert not present.is_recording()
        assert (current_traceparent(), current_ids()) == (None, {})
    subprocess.run((sys.executable, "-c", WITHOUT_SDK), cwd=REPOSITORY, check=True)


def test_a_span_reaches_the_receiver_by_the_end_of_the_process():
    (got,) = exported()
    assert (got.service, got.name, got.kind, got.parent) == ("hilbert-test", "work 0", "internal", "")
    assert got.attributes == {"a.b": 0}


def test_the_sampling_decision_of_the_caller_is_followed():
    assert {(got.trace, got.parent) for got in exported(0.0, parents=[SAMPLED])} == {(TRACE, PARENT)}
    assert exported(1.0, parents=[UNSAMPLED]) == []


def test_a_share_of_new_traces_is_sampled():
    assert exported(0.0, parents=[None] * 20) == []
    assert 0 < len(exported(0.5, parents=[None] * 200)) < 200


@pytest.mark.parametrize("nonsense", ["", "Ada Lovelace", "00-0-0-01", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}"])
def test_a_malformed_traceparent_begins_a_trace(nonsense, traced):
    with span("work", parent=context_from(nonsense)):
        pass
    assert traced("work")[0].parent is None


def test_a_traceparent_leads_back_to_its_span(traced):
    with span("first"):
        handed = current_traceparent()
    assert len(handed) == 55
    with span("second", parent=context_from(handed)):
        pass
    (first,), (second,) = traced("first"), traced("second")
    assert (second.parent.span_id, second.context.trace_id) == (first.context.span_id, first.context.trace_id)


def test_a_failed_span_holds_the_type_of_the_error_and_not_its_message(traced):
    with pytest.raises(ValueError, match="Ada"), span("work", kind=SpanKind.SERVER):
        raise ValueError("Ada Lovelace")
    (got,) = traced("work")
    assert (got.status.status_code, got.status.description) == (StatusCode.ERROR, None)
    assert got.attributes["error.type"] == "ValueError"
    assert got.events == ()


def test_a_wait_is_recorded_as_a_past_span(traced):
    begin = datetime(2026, 11, 27, 12, tzinfo=UTC)
    record_wait("wait", Context(), begin, begin + timedelta(seconds=3))
    record_wait("wait", Context(), begin, begin)
    (got,) = traced("wait")
    assert (got.start_time, got.end_time - got.start_time) == (int(begin.timestamp()) * 10**9, 3 * 10**9)


def test_only_sampled_spans_are_linked():
    assert [link.context.span_id for link in links_to(SAMPLED)] == [int(PARENT, 16)]
    assert links_to(UNSAMPLED) == links_to(None) == ()


def test_an_unreachable_receiver_costs_only_the_spans(closed_port, counted):
    with tracing(Settings(traces_url=f"http://127.0.0.1:{closed_port}/v1/traces"), "test"), span("work"):
        pass
    wait_for(lambda: counted("hilbert_spans_exported_total", outcome="lost") == 1)


def test_a_process_does_not_wait_for_a_receiver_that_hangs(monkeypatch):
    monkeypatch.setattr(span_export, "EXPORT_TIMEOUT_SECONDS", 60.0)
    with Receiver(hangs=True) as receiver:
        with tracing(Settings(traces_url=receiver.url), "test"), span("work"):
            pass
        assert wait_for(lambda: receiver.held) == 1
        receiver.release.set()
        wait_for(lambda: "last spans" not in {thread.name for thread in threading.enumerate()})
