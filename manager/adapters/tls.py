"""The server side of TLS: a certificate and a circle of trust that change while it serves."""

from __future__ import annotations

from collections import deque

import grpc

from protos.identity.channels import Credentials
from protos.identity.trust import Trust


class ServerTLS:
    """What the gRPC server shows and trusts. Clients must show a certificate that it trusts.

    gRPC asks for news at every handshake, from a thread of its own; connections that are open
    stay, and `manager.rpc.guard` judges their calls by the trust of then.
    """

    def __init__(self, credentials: Credentials, trust: Trust) -> None:
        self._first = _configuration(credentials, trust)
        self._news: deque[grpc.ServerCertificateConfiguration] = deque(maxlen=1)

    def credentials(self) -> grpc.ServerCredentials:
        """Return what `add_secure_port` wants."""
        return grpc.dynamic_ssl_server_credentials(
            self._first,
            self._fetch,  # type: ignore[arg-type]  # None means: as before; the stubs forget it
            require_client_authentication=True,
        )

    def update(self, credentials: Credentials, trust: Trust) -> None:
        """Show and trust this from the next handshake on."""
        self._news.append(_configuration(credentials, trust))

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        try:
            return self._news.pop()  # atomic, so that no news is lost between two threads
        except IndexError:
            return None


def _configuration(credentials: Credentials, trust: Trust) -> grpc.ServerCertificateConfiguration:
    """Return the certificate, then the roots: joining nodes look for the token's among them."""
    shown = credentials.chain + trust.roots_pem()
    return grpc.ssl_server_certificate_configuration(
        [(credentials.key, shown)], root_certificates=trust.bundle()
    )
