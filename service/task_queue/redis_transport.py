"""Kombu's Redis transport with one fix: a failed acknowledgement frees its prefetch slot all the same.

Kombu counts a message as unacknowledged until its acknowledgement has reached Redis. When Redis answers too late this
never happens, and a worker that prefetches one message receives no more. Redis redelivers such a message after the
visibility timeout, which is harmless: its stage is done.
"""

from __future__ import annotations

from kombu.transport import TRANSPORT_ALIASES, redis, virtual


class RedisQoS(redis.QoS):  # type: ignore[misc]
    """Tracks the unacknowledged messages of a channel."""

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message; frees its slot even when the connection raises."""
        try:
            super().ack(delivery_tag)
        except Exception:
            virtual.QoS.ack(self, delivery_tag)
            raise


class RedisChannel(redis.Channel):  # type: ignore[misc]
    """A channel with this tracking; kombu looks `QoS` up as an attribute."""

    QoS = RedisQoS


class RedisTransport(redis.Transport):  # type: ignore[misc]
    """Replaces kombu's transport for `redis` and `rediss`; kombu looks `Channel` up as an attribute."""

    Channel = RedisChannel


def register_redis_transport() -> None:
    """Register the transport with kombu, which imports the class by this name."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:RedisTransport"
