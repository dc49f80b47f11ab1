"""The policy against server-side request forgery: URLs are checked when given, addresses at every connection.

A URL is checked by its form, without name resolution; it must be written so that no two parsers can read it
differently. The address that a name resolves to is checked at every request, because names can be rebound.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import SplitResult, urlsplit

from service.errors.request import WebhookUrlRefused
from service.settings import Settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PORTS = {"https": 443, "http": 80}
MIN_UNPRIVILEGED_PORT = 1024
MAX_URL_LENGTH = 2048
MAX_HOST_LENGTH = 253
PRINTABLE_ASCII = re.compile(r"[!-~]+")
AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:]+)(:[0-9]*)?")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
LOCAL_SUFFIXES = ("localhost", "local", "internal", "localdomain", "home", "lan", "intranet")

# Lists of our own, because `is_global` has changed between minor versions of Python (decision 0025).
REFUSED_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' address translation, and a cloud's metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's metadata, on a public address
        "169.254.0.0/16",  # link-local, and most clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
GLOBAL_V6 = IPv6Network("2000::/3")
REFUSED_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # Teredo and other protocols' own
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries any IPv4 address
        "3fff::/20",  # documentation
    )
)
EMBEDDED_V4 = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
"""IPv4-mapped and NAT64 addresses: the embedded IPv4 address is checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """A parsed URL. Connections are made to these fields and never to the text, which could be parsed differently."""

    scheme: str
    host: str
    port: int
    target: str
    address: Address | None = None

    @property
    def authority(self) -> str:
        """The value of the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlPolicy:
    """The allowed receivers: public addresses over TLS, and the networks and HTTP that the operator allows."""

    allow_http: bool = False
    networks: tuple[Network, ...] = ()

    def permits(self, address: Address) -> bool:
        """Whether connections to this address are allowed."""
        real = _effective_address(address)
        if any(real.version == network.version and real in network for network in self.networks):
            return True
        if isinstance(real, IPv4Address):
            return not any(real in network for network in REFUSED_V4)
        return real in GLOBAL_V6 and not any(real in network for network in REFUSED_V6)

    def parse(self, url: str) -> WebhookEndpoint:
        """Parse and check a URL. Raises WebhookUrlRefused with a reason that quotes nothing of the URL."""
        parts = _split_url(url)
        if parts.scheme not in PORTS:
            raise WebhookUrlRefused("The URL must begin with https://.")
        if parts.scheme == "http" and not self.allow_http:
            raise WebhookUrlRefused("The URL must begin with https://; this service does not send without TLS.")
        if "@" in parts.netloc:
            raise WebhookUrlRefused("The URL must not hold a user or a password.")
        # In the text, because the fragment of a bare `#` is empty.
        if "#" in url:
            raise WebhookUrlRefused("The URL must not have a fragment.")
        if not AUTHORITY.fullmatch(parts.netloc.lower()):
            raise WebhookUrlRefused("The URL's host and port cannot be read.")
        host, address = self._host(parts)
        path = parts.path or "/"
        return WebhookEndpoint(
            scheme=parts.scheme,
            host=host,
            port=_parse_port(parts),
            target=f"{path}?{parts.query}" if parts.query else path,
            address=address,
        )

    def _host(self, parts: SplitResult) -> tuple[str, Address | None]:
        host = parts.hostname or ""
        address = _parse_ip_literal(host, bracketed="[" in parts.netloc)
        if address is not None:
            if not self.permits(address):
                raise WebhookUrlRefused("The URL leads to an address that is not public.")
            return str(address), address
        labels = host.split(".")
        if len(host) > MAX_HOST_LENGTH or not all(LABEL.fullmatch(label) for label in labels):
            raise WebhookUrlRefused(
                "The URL's host must be a name of letters, digits and hyphens in ASCII (xn-- for others), "
                "without a dot at its end, or a plain IP address."
            )
        # Some resolvers read names such as `0x7f.1` as addresses.
        if NUMERIC_LABEL.fullmatch(labels[-1]):
            raise WebhookUrlRefused("The URL's host looks like a number: write IP addresses as four decimal numbers.")
        # An operator who permits networks wants to name their hosts; the address is still checked at the connection.
        if not self.networks and (len(labels) == 1 or labels[-1] in LOCAL_SUFFIXES):
            raise WebhookUrlRefused("The URL's host is a name of a local network.")
        return host, None


def webhook_url_policy(settings: Settings) -> UrlPolicy:
    """The policy of the settings."""
    return UrlPolicy(
        allow_http=settings.webhook_allow_http,
        networks=tuple(ip_network(network) for network in settings.webhook_networks),
    )


def _split_url(url: str) -> SplitResult:
    if len(url) > MAX_URL_LENGTH:
        raise WebhookUrlRefused(f"The URL must have at most {MAX_URL_LENGTH} characters.")
    # Some parsers drop spaces and control characters, others read a backslash as a slash.
    if not PRINTABLE_ASCII.fullmatch(url) or "\\" in url:
        raise WebhookUrlRefused("The URL must be of printable ASCII characters without spaces and backslashes.")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise WebhookUrlRefused("The URL cannot be read.") from None
    if not url.lower().startswith(f"{parts.scheme}://") or not parts.hostname:
        raise WebhookUrlRefused("The URL must be of the form https://host/path.")
    return parts


def _parse_port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        raise WebhookUrlRefused("The URL's port is not a number up to 65535.") from None
    if port is None:
        return PORTS[parts.scheme]
    if port < MIN_UNPRIVILEGED_PORT and port not in PORTS.values():
        raise WebhookUrlRefused("The URL's port must be 443, 80 or one from 1024 on.")
    return port


def _parse_ip_literal(host: str, *, bracketed: bool) -> Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if bracketed != isinstance(address, IPv6Address):
        raise WebhookUrlRefused("The URL's host is not a plain IP address.")
    return address


def _effective_address(address: Address) -> Address:
    if isinstance(address, IPv6Address) and any(address in network for network in EMBEDDED_V4):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
