"""A receiver of traces: a real OTLP/HTTP endpoint in a thread, which decodes what comes and keeps it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tests.receiver import Receiver

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")


@dataclass(frozen=True, kw_only=True)
class Span:
    """One span; ids in hex, `parent` empty for a root, times in nanoseconds."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    begin: int
    end: int
    failed: bool
    attributes: dict[str, object] = field(default_factory=dict)
    links: tuple[str, ...] = ()


class TraceReceiver(Receiver):
    """Answers 200 and keeps the bodies that came; their spans are decoded when asked for. Use as a context."""

    def __init__(self, port: int = 0):
        super().__init__(200, headers={"Content-Length": "0"}, port=port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/traces"

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request in self.requests]

    @property
    def spans(self) -> list[Span]:
        return [span for body in self.bodies for span in decoded(body)]

    def named(self, name: str) -> list[Span]:
        """The spans of this name, in the order of their beginning."""
        return sorted((span for span in self.spans if span.name == name), key=lambda span: span.begin)


def decoded(body: bytes) -> Iterable[Span]:
    """The spans in the body of an export."""
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        about = {one.key: _value(one.value) for one in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    service=str(about["service.name"]),
                    name=span.name,
                    kind=KINDS[span.kind],
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    begin=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                    failed=span.status.code == 2,
                    attributes={one.key: _value(one.value) for one in span.attributes},
                    links=tuple(link.span_id.hex() for link in span.links),
                )


def _value(value: AnyValue) -> object:
    return getattr(value, value.WhichOneof("value"))
