"""Secure channels to managers: TLS both ways, trust in the cluster's root alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import grpc
import grpc.aio

from protos.identity.certificates import MANAGER_NAME

MESSAGE_LIMIT_BYTES = 4 << 20  # larger things go in pieces
# A machine that died says nothing any more: its connections are found broken by pings, which
# gRPC answers by itself, however busy Python is. Managers look more often than nodes do, once a
# second being as often as gRPC can, and wait less long: a node taken for dead too soon has its
# grace to connect anew, which a dead one uses up as well. Its tasks are missed all that time.
_MANAGERS_PING_MS = 1_000
_MANAGERS_PATIENCE_MS = 1_200
_CLIENTS_PING_MS = 2_000
_CLIENTS_PATIENCE_MS = 2_000

_BOTH: tuple[tuple[str, int], ...] = (
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)
SERVER_OPTIONS = (
    *_BOTH,
    ("grpc.keepalive_timeout_ms", _MANAGERS_PATIENCE_MS),
    # Without it a minute counts, whatever the one above says.
    ("grpc.http2.ping_timeout_ms", _MANAGERS_PATIENCE_MS),
    ("grpc.keepalive_time_ms", _MANAGERS_PING_MS),
    ("grpc.http2.min_ping_interval_without_data_ms", _CLIENTS_PING_MS // 2),
    # Each connection has a buffer of the size of what is encrypted at once, 16 KiB by default.
    ("grpc.tsi.max_frame_size", 4096),
    ("grpc.so_reuseport", 0),  # a second manager on the port must fail, not share it
)
"""What every server of managers is made with: it allows the pings that clients send."""
_CLIENT_OPTIONS = (
    *_BOTH,
    ("grpc.keepalive_timeout_ms", _CLIENTS_PATIENCE_MS),
    ("grpc.http2.ping_timeout_ms", _CLIENTS_PATIENCE_MS),
    ("grpc.keepalive_time_ms", _CLIENTS_PING_MS),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # The time that one attempt may take: a manager that a thousand nodes come to at once needs
    # seconds for their handshakes, and those that are broken off are work done for nothing.
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.use_local_subchannel_pool", 1),  # a channel never rides on another's connection
    ("grpc.ssl_target_name_override", MANAGER_NAME),
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a peer shows and trusts: PEM, the chain leaf first. Its repr tells no key."""

    roots: bytes = field(repr=False)
    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)


def open_channel(address: str, credentials: Credentials) -> grpc.aio.Channel:
    """Return a channel to the manager at host:port; close it after use.

    Nobody but a manager of this cluster is talked to: its certificate must be by one of the roots
    and carry a manager's name, whatever the address. New credentials need a new channel.
    """
    secure = grpc.ssl_channel_credentials(credentials.roots, credentials.key, credentials.chain)
    return grpc.aio.secure_channel(address, secure, options=_CLIENT_OPTIONS)
