"""The node's certificate through its life: got by a token, renewed in time, kept on disk.

In memory is what the disk has: a change is written first. While the local manager has keys, the
private key is sealed by one of them, so that a locked manager's disk gives nobody the node's name.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import structlog
from cryptography import x509
from msgspec.structs import replace

from agent.core.backoff import Backoff
from agent.core.renewal import renewal_time
from agent.ports.authority import Answer, Authority
from agent.ports.certificate_store import CertificateStore
from agent.ports.certificates import Managers
from agent.ports.chance import Chance
from agent.swarm.signal import Signal
from api.errors import Internal, SkepError, Unavailable
from api.types.nodes import NodeRole, TLSInfo
from engine.ports.clock import Clock
from protos.identity.certificates import (
    Identity,
    Role,
    identity_of,
    issuer_among,
    load_certificate,
    load_chain,
    new_request,
    to_pem,
)
from protos.identity.channels import Credentials
from protos.identity.errors import BadCertificate, UnusableKey
from protos.identity.join import join_credentials
from protos.identity.keyring import KEY_FILE, unwrap
from protos.identity.keys import key_from_pem, key_to_pem, new_key
from protos.identity.tls_info import tls_info
from protos.identity.tokens import parse_join_token, parse_unlock_key

log = structlog.get_logger(__name__)

T = TypeVar("T")

_ROLES = {Role.MANAGER: NodeRole.MANAGER, Role.WORKER: NodeRole.WORKER}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BACKOFF = Backoff(first_s=0.5, longest_s=30.0)
# The time of day may jump, so that it is looked at again and again instead of slept by.
_LOOK_S = 30.0
# How long a manager's key may be unsealed because the manager's keys are not there yet.
_SEAL_RETRY_S = 2.0


class NodeCertificates:
    """Fulfils `Certificates`.

    `ask_unlock_key` asks the local manager, once it serves, for the key that it locks by.
    """

    def __init__(
        self,
        store: CertificateStore,
        authority: Authority,
        ask_unlock_key: Callable[[], Awaitable[str]],
        clock: Clock,
        chance: Chance,
    ) -> None:
        self._store = store
        self._authority = authority
        self._ask_unlock_key = ask_unlock_key
        self._clock = clock
        self._chance = chance
        self._shown: _Shown | None = None
        self._credentials: Credentials | None = None
        self._passphrase: bytes | None = None
        self._signal = Signal()
        self._wanted = asyncio.Event()
        self._writing = asyncio.Lock()

    @property
    def node_id(self) -> str:
        """The node's id; "" as long as there is no certificate."""
        return "" if self._shown is None else self._shown.identity.node_id

    @property
    def role(self) -> NodeRole | None:
        """The role that the certificate gives; known also while the key is locked."""
        return None if self._shown is None else _ROLES[self._shown.identity.role]

    @property
    def credentials(self) -> Credentials | None:
        """What the node shows; None as long as there is no certificate or its key is locked."""
        return self._credentials

    @property
    def is_expired(self) -> bool:
        """Whether the certificate's days are over."""
        return self._shown is not None and self._now() > self._shown.last

    def tls_info(self) -> TLSInfo:
        """Return what the node tells of whom it trusts, and who signed its certificate."""
        if self._shown is None:
            return TLSInfo()
        roots = self._shown.roots
        # The root of a rotation that was given up is trusted no more; the chain has it still.
        known = [*load_chain(roots), *load_chain(self._shown.chain)[1:]]
        issuer = issuer_among(self._shown.leaf, known)
        told = TLSInfo() if issuer is None else tls_info(to_pem(issuer))
        return replace(told, TrustRoot=roots.decode())

    async def load(self) -> None:
        """Read what is on the disk. Errors: Internal when it is damaged."""
        try:
            await self._load()
        except (BadCertificate, UnusableKey) as cause:
            raise Internal(
                f"this node's certificate is damaged ({cause.message}): let the node leave the "
                "swarm (docker swarm leave --force) and join again"
            ) from cause

    async def unlock(self, unlock_key: str) -> None:
        """Open the key of a locked manager. Errors: InvalidUnlockKey."""
        keys = await self._store.manager_keys()
        if keys is not None:
            kek = parse_unlock_key(unlock_key) if keys.is_locked else None
            self._passphrase = unwrap(keys, kek, KEY_FILE).node_key
        await self.load()

    async def join(self, remotes: Sequence[str], token: str, availability: str) -> None:
        """Get the node's first certificate from one of these managers.

        Key and request outlive a crash, so that a join that is tried again is the same node.
        Errors:  MalformedJoinToken, InvalidJoinToken, FingerprintMismatch; Unavailable when
                 nobody answers.
        """
        pinned = parse_join_token(token)
        key, request = await self._store.joining()

        async def ask(address: str) -> Answer:
            root = await self._authority.fetch_root(address, pinned)
            joining = join_credentials(pinned, root)
            return await self._authority.issue(address, joining, request, token, availability)

        await self._take(await _first(remotes, ask), key)
        log.info("certificate.issued", node_id=self.node_id, role=self.role)

    async def keep(self, managers: Managers) -> None:
        """Renew the certificate when its time has come, or `want` was called, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_valid(managers), name="certificate.renew")
            group.create_task(self._keep_sealed(), name="certificate.seal")

    def want(self) -> None:
        """Have the certificate renewed now: the managers say that it should be another one."""
        self._wanted.set()

    async def trust(self, roots: bytes) -> None:
        """Trust these roots from now on, PEM, the one that signs last.

        Where another one has signed the node's certificate, it is renewed.
        """
        if self._shown is None or not roots:
            return
        told = load_chain(roots)
        if roots != self._shown.roots:
            async with self._writing:
                await self._store.replace_roots(roots)
                self._show(roots, self._shown.chain)
                if self._credentials is not None:
                    self._credentials = dataclasses.replace(self._credentials, roots=roots)
            self._signal.give()
        if issuer_among(self._shown.leaf, told[-1:]) is None:
            self.want()

    async def changed(self) -> None:
        """Return when something of this has become another."""
        await self._signal.next()

    async def release(self) -> None:
        """Keep the key without a manager's lock: the node is no manager any more."""
        async with self._writing:
            if self._shown is not None and await self._store.is_sealed():
                if self._passphrase is None:
                    log.warning("certificate.locked", node_id=self.node_id)
                    return
                await self._store.seal(self._passphrase, None)
            self._passphrase = None

    async def _load(self) -> None:
        public = await self._store.read_public()
        if public is None:
            self._shown = self._credentials = None
            return
        self._show(*public)
        if self._passphrase is None:
            keys = await self._store.manager_keys()
            if keys is not None and not keys.is_locked:
                self._passphrase = unwrap(keys, None, KEY_FILE).node_key
        is_open = self._passphrase is not None or not await self._store.is_sealed()
        self._credentials = await self._store.load(self._passphrase) if is_open else None
        self._signal.give()

    async def _keep_valid(self, managers: Managers) -> None:
        failures = 0
        while True:
            await self._until_due()
            self._wanted.clear()
            try:
                await self._renew(managers)
            except SkepError as error:
                failures += 1
                wait_s = _BACKOFF.wait_s(failures, self._chance())
                log.warning("certificate.not_renewed", error=error.message, again_in_s=wait_s)
                await self._clock.sleep(wait_s)
                self._wanted.set()
            else:
                failures = 0
                log.info("certificate.renewed", node_id=self.node_id, role=self.role)
                # Where clocks disagree a new certificate may be due as soon as it comes.
                await self._look_again()

    async def _until_due(self) -> None:
        while not self._is_due():
            await self._look_again()

    async def _look_again(self) -> None:
        """Return after a while, or when a renewal is wanted."""
        parts = [
            asyncio.ensure_future(self._wanted.wait()),
            asyncio.ensure_future(self._clock.sleep(_LOOK_S)),
        ]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in parts:
                part.cancel()

    def _is_due(self) -> bool:
        if self._shown is None or self._credentials is None:
            return False
        return self._wanted.is_set() or self._now() >= self._shown.due

    async def _renew(self, managers: Managers) -> None:
        mine = self._credentials
        assert mine is not None
        private = new_key()
        request = new_request(private)

        async def ask(address: str) -> Answer:
            return await self._authority.issue(address, mine, request)

        await self._take(await _first(managers(), ask), key_to_pem(private))

    async def _take(self, answer: Answer, key: bytes) -> None:
        """Check a certificate, write it, and show it from now on. Errors: BadCertificate."""
        leaf = load_certificate(answer.chain)
        if leaf.public_key() != key_from_pem(key).public_key():
            raise BadCertificate("the certificate that came is for another key")
        if issuer_among(leaf, load_chain(answer.roots)) is None:
            raise BadCertificate("the certificate that came is by none of the cluster's roots")
        if self.node_id and identity_of(leaf).node_id != self.node_id:
            raise BadCertificate("the certificate that came is for another node")
        credentials = Credentials(answer.roots, answer.chain, key)
        async with self._writing:
            await self._store.replace(credentials, self._passphrase)
            self._show(answer.roots, answer.chain)
            self._credentials = credentials
        self._signal.give()

    async def _keep_sealed(self) -> None:
        """Seal the key once the local manager has keys to seal it by, and open a sealed one."""
        while True:
            seen = self._credentials
            try:
                is_settled = await self._is_seal_settled()
            except SkepError as error:
                log.debug("certificate.not_settled", error=error.message)
                is_settled = False
            if not is_settled:
                await self._clock.sleep(_SEAL_RETRY_S)
                continue
            while self._credentials is seen:
                await self.changed()

    async def _is_seal_settled(self) -> bool:
        """Tell whether the key is in hand, and sealed where the local manager has keys."""
        if self.role is not NodeRole.MANAGER:
            return True
        if self._credentials is not None and await self._store.is_sealed():
            return True
        keys = await self._store.manager_keys()
        if keys is None:
            return False
        kek = parse_unlock_key(await self._ask_unlock_key()) if keys.is_locked else None
        async with self._writing:
            self._passphrase = unwrap(keys, kek, KEY_FILE).node_key
            if self._credentials is not None:
                await self._store.seal(None, self._passphrase)
                return True
        await self.load()
        return self._credentials is not None

    def _show(self, roots: bytes, chain: bytes) -> None:
        self._shown = _shown(roots, chain, self._chance())

    def _now(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self._clock.now_ns() // 1000)


@dataclasses.dataclass(frozen=True, slots=True)
class _Shown:
    """What others see of the certificate; due is when it is renewed."""

    roots: bytes
    chain: bytes
    leaf: x509.Certificate
    identity: Identity
    last: datetime
    due: datetime


def _shown(roots: bytes, chain: bytes, chance: float) -> _Shown:
    leaf = load_certificate(chain)
    first, last = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    return _Shown(roots, chain, leaf, identity_of(leaf), last, renewal_time(first, last, chance))


async def _first(addresses: Sequence[str], ask: Callable[[str], Awaitable[T]]) -> T:
    """Return the first answer. Errors: why the first that answered refused, else Unavailable."""
    refusal: SkepError | None = None
    for address in addresses:
        try:
            return await ask(address)
        except SkepError as error:
            if refusal is None or isinstance(refusal, Unavailable):
                refusal = error
    raise refusal or Unavailable("no manager is known that could be asked")
