"""The metrics server of a process. It has a port of its own, so that clients of the API cannot reach it."""

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
    """The counted metrics and collectors of this process, served once it is started with a port."""

    def __init__(self, host: str, port: int | None) -> None:
        self._host = host
        self._port = port
        self._server: _Server | None = None
        disable_created_metrics()  # type: ignore[no-untyped-call] # one more series for each counter, which nothing uses
        BUILD.labels(version=service_version()).set(1)
        self._registry = CollectorRegistry()
        self._registry.register(_Counted())
        for of_process in (ProcessCollector, PlatformCollector, GCCollector):
            of_process(registry=self._registry)

    @contextmanager
    def collecting(self, collector: Collector) -> Iterator[None]:
        """Include this collector while the block runs; it runs in the thread of each scrape."""
        self._registry.register(collector)
        try:
            yield
        finally:
            self._registry.unregister(collector)

    @property
    def port(self) -> int | None:
        """The port that the server listens on; None when metrics are not served."""
        return None if self._server is None else self._server.server_port

    def start(self) -> None:
        """Start to listen, if there is a port. Raises ConfigurationRefused when it is taken."""
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
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """The present metrics in the format that the Accept header asks for, and its media type."""
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type


@contextmanager
def metrics_server(settings: Settings) -> Iterator[MetricsServer]:
    """Serve the metrics of this process while the block runs, if a port is set. Raises ConfigurationRefused."""
    exposition = MetricsServer(settings.metrics_host, settings.metrics_port)
    exposition.start()
    try:
        yield exposition
    finally:
        exposition.stop()


class _Counted(Collector):
    """The counted metrics, as a collector."""

    def collect(self) -> object:  # type: ignore[override]
        return REGISTRY.collect()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int, exposition: MetricsServer) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.exposition = exposition
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without the reverse lookup of HTTPServer, which hangs where no name server answers."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]  # type: ignore[assignment]

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that disconnect."""


class _Handler(BaseHTTPRequestHandler):
    # Without it a client that sends nothing would hold its thread for ever.
    timeout = REQUEST_TIMEOUT_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """Answer `/metrics`."""
        if self.path.partition("?")[0] != PATH:
            self.send_error(404)
            return
        try:
            content, media_type = self.server.exposition.text(self.headers.get("Accept", ""))
        except Exception as error:  # a traceback would go to stderr with the message of the error
            log.error("metrics could not be read", **failure_fields(error))
            self.send_error(500)
            return
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Scrapes are not logged."""
