"""The HTTP client for URLs that tenants chose, guarded against server-side request forgery (SSRF).

A name is resolved once, every address is checked against the policy, and the connection goes to a checked address. So a
name server cannot answer differently at the time of the connection (DNS rebinding). The client is httpcore and not
httpx, because httpcore follows no redirects and reads no proxies, cookies or netrc, so nothing has to be switched off.
Of a response only the status and Retry-After are read.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

import httpcore

from service.errors.request import WebhookUrlRefused
from service.webhooks.states import AttemptError
from service.webhooks.url_policy import Address, UrlPolicy, WebhookEndpoint

Resolve = Callable[[str, int], Sequence[str]]
USER_AGENT = "hilbert-webhooks/1"


class SendFailed(Exception):
    """No response was received; `trouble` is the reason."""

    def __init__(self, trouble: AttemptError) -> None:
        super().__init__(trouble)
        self.trouble = trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookResponse:
    """The parts of a response that are read."""

    status: int
    retry_after: str | None


def resolve_name(host: str, port: int) -> list[str]:
    """All addresses of a name from the system's resolver. Raises OSError."""
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


def trust_store() -> ssl.SSLContext:
    """The certificate authorities of certifi and of the system; SSL_CERT_FILE adds an operator's own."""
    context = httpcore.default_ssl_context()
    context.load_default_certs()
    return context


class WebhookClient:
    """Posts to URLs that the policy allows, with one connection for each request; thread-safe."""

    def __init__(
        self,
        allowed: UrlPolicy,
        *,
        timeout: timedelta,
        resolve: Resolve = resolve_name,
        authorities: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = allowed
        self._timeout = timeout.total_seconds()
        self._resolve = resolve
        self._authorities = authorities or trust_store()

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> WebhookResponse:
        """Send one request, without a retry. Raises SendFailed."""
        deadline = Deadline(self._timeout)
        try:
            # Checked again: the URL was accepted under the settings of that time.
            destination = self._allowed.parse(url)
        except WebhookUrlRefused:
            raise SendFailed(AttemptError.URL_REFUSED) from None
        try:
            network = PinnedBackend(self._addresses(destination, deadline), deadline)
            return self._send(destination, network, body, headers)
        except httpcore.TimeoutException:
            raise SendFailed(AttemptError.TIMEOUT) from None
        except httpcore.ProtocolError:
            raise SendFailed(AttemptError.PROTOCOL) from None
        except httpcore.NetworkError as error:
            tls = isinstance(error.__cause__, ssl.SSLError)
            raise SendFailed(AttemptError.TLS if tls else AttemptError.CONNECTION) from None

    def _addresses(self, destination: WebhookEndpoint, deadline: Deadline) -> list[Address]:
        """All addresses of the host. Raises SendFailed when one of them is not allowed, whatever the others are."""
        if destination.address is not None:
            return [destination.address]
        addresses = [
            ip_address(text) for text in _resolve_within(deadline, self._resolve, destination.host, destination.port)
        ]
        if not addresses:
            raise SendFailed(AttemptError.NAME_NOT_RESOLVED)
        if not all(map(self._allowed.permits, addresses)):
            raise SendFailed(AttemptError.ADDRESS_REFUSED)
        return addresses

    def _send(
        self, destination: WebhookEndpoint, network: PinnedBackend, body: bytes, headers: Mapping[str, str]
    ) -> WebhookResponse:
        origin = (destination.scheme.encode(), destination.host.encode(), destination.port)
        # Each delivery has a connection of its own, which the receiver need not keep (decision 0025).
        own = {"Host": destination.authority, "User-Agent": USER_AGENT, "Connection": "close"}
        length = {"Content-Length": str(len(body))}
        with (
            httpcore.HTTPConnection(
                httpcore.Origin(*origin), ssl_context=self._authorities, network_backend=network
            ) as connection,
            connection.stream(
                "POST",
                httpcore.URL(scheme=origin[0], host=origin[1], port=origin[2], target=destination.target.encode()),
                headers=list({**own, **headers, **length}.items()),
                content=body,
            ) as response,
        ):
            # The body is not read, because a receiver could send without end (decision 0025).
            return WebhookResponse(status=response.status, retry_after=_header(response, b"retry-after"))


class Deadline:
    """The end of a request as a whole: a timeout for each read would let a slow receiver hold a slot for hours."""

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    def left(self) -> float:
        """Seconds left; raises httpcore.ReadTimeout when there are none."""
        left = self._end - monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to the checked addresses instead of resolving the host again, within the deadline."""

    def __init__(self, addresses: Sequence[Address], deadline: Deadline) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._system = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - the point of this class
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline alone counts
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Try the addresses in turn, each with an equal share of the time left."""
        for number, address in enumerate(self._addresses):
            last = number == len(self._addresses) - 1
            share = self._deadline.left() / (len(self._addresses) - number)
            try:
                stream = self._system.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if last:
                    raise
            else:
                return DeadlineStream(stream, self._deadline)
        raise httpcore.ConnectError


class DeadlineStream(httpcore.NetworkStream):
    """A connection whose reads and writes end at the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Read available bytes."""
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Send all bytes."""
        self._stream.write(buffer, self._deadline.left())

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Start TLS; the certificate is checked against the host name, although the connection is to an address."""
        return DeadlineStream(
            self._stream.start_tls(ssl_context, server_hostname, self._deadline.left()), self._deadline
        )

    def get_extra_info(self, info: str) -> Any:
        """Details of the connection."""
        return self._stream.get_extra_info(info)


def _resolve_within(deadline: Deadline, resolve: Resolve, host: str, port: int) -> Sequence[str]:
    """Resolve in a thread of its own, because the system's resolver has no timeout."""
    answers: SimpleQueue[Sequence[str]] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolve(host, port))
        # The resolver encodes names by IDNA, and a name that cannot be encoded raises UnicodeError.
        except (OSError, UnicodeError):
            answers.put(())

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        return answers.get(timeout=deadline.left())
    except Empty:
        raise SendFailed(AttemptError.TIMEOUT) from None


def _header(response: httpcore.Response, wanted: bytes) -> str | None:
    # Header bytes may be anything, and Latin-1 decodes all of them.
    return next((value.decode("latin-1") for name, value in response.headers if name.lower() == wanted), None)
