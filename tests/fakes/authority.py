"""A cluster's authority without a cluster: signs at once, for whoever the test lets in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agent.ports.authority import Answer
from api.errors import SkepError, Unavailable
from api.swarm_errors import FingerprintMismatch, InvalidJoinToken
from manager.adapters.issuer import LocalIssuer
from manager.core.ca.signer import Signer
from protos.identity.certificates import Identity, Role, load_certificate, to_der
from protos.identity.channels import Credentials
from protos.identity.tokens import JoinToken, root_digest

HOUR_NS = 3600 * 10**9


class FakeAuthority:
    """Fulfils `Authority`; every address is a manager, unless it is in `dead` or in `refusing`."""

    def __init__(self, now_ns: int) -> None:
        self.now = datetime.fromtimestamp(now_ns / 1e9, UTC)
        self.issuer = LocalIssuer(lambda: self.now)
        self.root = self.issuer.new_root()
        self.bridge = ""
        self.roots = self.root.certificate.encode()
        self.token = self.issuer.new_token(self.root.certificate)
        self.role = Role.WORKER
        self.node_id = "node1"
        self.life_ns = 100 * 24 * HOUR_NS
        self.dead: set[str] = set()
        self.refusing: dict[str, SkepError] = {}
        self.asked: list[Asked] = []
        self.came = asyncio.Event()

    async def fetch_root(self, address: str, token: JoinToken) -> bytes:
        """Return the root, checked as the real one does."""
        self._reach(address)
        if token.root_digest != root_digest(to_der(load_certificate(self.roots))):
            raise FingerprintMismatch(token.root_digest.hex())
        if token.text() != self.token:
            raise InvalidJoinToken
        return self.roots

    async def issue(
        self,
        address: str,
        credentials: Credentials,
        request: bytes,
        token: str = "",
        availability: str = "",
    ) -> Answer:
        """Sign for the node and the role that the test set."""
        self.asked.append(Asked(address, credentials, request, token, availability))
        self.came.set()
        self._reach(address)
        identity = Identity(self.node_id, self.role, "cluster1")
        signer = Signer(self.root.certificate, self.root.key, self.bridge)
        chain = self.issuer.issue(signer, request, identity, self.life_ns)
        return Answer(chain, self.roots)

    def _reach(self, address: str) -> None:
        if address in self.refusing:
            raise self.refusing[address]
        if address in self.dead:
            raise Unavailable(f"{address} does not answer")


@dataclass
class Asked:
    """A request for a certificate."""

    address: str
    credentials: Credentials = field(repr=False)
    request: bytes
    token: str
    availability: str
