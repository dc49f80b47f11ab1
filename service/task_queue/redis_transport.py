"""Kombu's Redis transport, with one mend: an acknowledgement that fails frees its place all the same.

Kombu counts a message as being worked on until its acknowledgement has reached Redis. When Redis answers too late
that never happens, and a worker which takes one message at a time takes none any more. Redis gives such a
message out again later, which is harmless: its stage is done.
"""

from __future__ import annotations

from kombu.transport import TRANSPORT_ALIASES, redis, virtual


class RedisQoS(redis.QoS):  # type: ignore[misc]
    """Which messages are being worked on."""

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge; raises what the connection raises, with the place free again."""
        try:
            super().ack(delivery_tag)
        except Exception:
            virtual.QoS.ack(self, delivery_tag)
            raise


class RedisChannel(redis.Channel):  # type: ignore[misc]
    """A channel that counts in this way."""

    QoS = RedisQoS


class RedisTransport(redis.Transport):  # type: ignore[misc]
    """Stands in for kombu's own under the schemes `redis` and `rediss`."""

    Channel = RedisChannel


def register_redis_transport() -> None:
    """Teach kombu the mend."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:RedisTransport"
