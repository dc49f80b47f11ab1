"""Where the metrics of a process are read: a port of its own, apart from the API's, so that no client reaches it."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics import disable_created_metrics
from prometheus_client.registry import Collector

from service.errors.tree import ConfigurationRefused
from service.observability.logs import failure_fields
from service.observability.metrics import BUILD, REGISTRY
from service.observability.version import service_version
from service.settings import Settings

log = structlog.stdlib.get_logger(__name__)
PATH = "/metrics"
POLL_INTERVAL_SECONDS = 0.1
REQUEST_TIMEOUT_SECONDS = 10.0


class MetricsServer:
    """What this process has counted, and what its collectors look up; served once it is started with a port."""

    def __init__(self, host: str, port: int | None) -> None:
        self._host = host
        self._port = port
        self._server: _Server | None = None
        disable_created_metrics()  # type: ignore[no-untyped-call] # a series each, which nobody asks for
        BUILD.labels(version=service_version()).set(1)
        self._registry = CollectorRegistry()
        self._registry.register(_Counted())
        for of_process in (ProcessCollector, PlatformCollector, GCCollector):
            of_process(registry=self._registry)

    @contextmanager
    def collecting(self, collector: Collector) -> Iterator[None]:
        """While the block runs ask this one as well, in the thread of whoever asks."""
        self._registry.register(collector)
        try:
            yield
        finally:
            self._registry.unregister(collector)

    @property
    def port(self) -> int | None:
        """The port that is listened on; None where metrics are not served."""
        return None if self._server is None else self._server.server_port

    def start(self) -> None:
        """Listen, if there is a port. Raises ConfigurationRefused when it is taken."""
        if self._port is None:
            return
        try:
            self._server = _Server(self._host, self._port, self)
        except OSError as error:
            raise ConfigurationRefused(
                f"Cannot serve metrics on {self._host}:{self._port} ({error.strerror}); "
                "set HILBERT_METRICS_PORT to a free port, or to 0 for any."
            ) from None
        serve = threading.Thread(target=self._server.serve_forever, args=(POLL_INTERVAL_SECONDS,), name="metrics")
        serve.daemon = True
        serve.start()
        log.info("metrics served", port=self.port)

    def stop(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """All metrics of this moment in the form that `accept` asks for, and its media type."""
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type


@contextmanager
def metrics_server(settings: Settings) -> Iterator[MetricsServer]:
    """Serve this process's metrics while the block runs, if the settings say where. Raises ConfigurationRefused."""
    exposition = MetricsServer(settings.metrics_host, settings.metrics_port)
    exposition.start()
    try:
        yield exposition
    finally:
        exposition.stop()


class _Counted(Collector):
    """The counted metrics, as one collector among others."""

    def collect(self) -> object:  # type: ignore[override]
        return REGISTRY.collect()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int, exposition: MetricsServer) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.exposition = exposition
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Without looking up the host's name, which may take long where no name server answers."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]  # type: ignore[assignment]

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked has gone."""


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_TIMEOUT_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """Answer `/metrics`."""
        if self.path.partition("?")[0] != PATH:
            self.send_error(404)
            return
        try:
            content, media_type = self.server.exposition.text(self.headers.get("Accept", ""))
        except Exception as error:  # one collector's fault must not end the thread with a traceback
            log.error("metrics could not be read", **failure_fields(error))
            self.send_error(500)
            return
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """A line for each scrape would tell nothing."""
