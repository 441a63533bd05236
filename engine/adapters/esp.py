"""Encryption between nodes in the kernel: ESP by XFRM, and the nftables that have it used."""

from __future__ import annotations

import errno
import json
import secrets
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from engine.adapters import netlink_xfrm
from engine.adapters.host_links import explained
from engine.adapters.netlink import Message, NetlinkError, NetlinkSocket
from engine.adapters.netlink_overlay import GONE
from engine.adapters.netlink_xfrm import NETLINK_XFRM
from engine.adapters.netns import in_own_thread
from engine.adapters.nftables import NO_SUCH_THING, FirewallFailed, NftContext, run_here
from engine.core.esp import Associations, Change, guard_text
from engine.core.nft_batch import removal

_BATCH = 128
_ABSENT = frozenset(
    {errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.EOPNOTSUPP, errno.ENOPROTOOPT}
)
# RFC 5737 and RFC 3849: nobody is there.
_NOWHERE = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
_TRIAL_KEY_BYTES = 36


class KernelEsp:
    """Fulfils `Encryption`, in the network namespace of the daemon."""

    def __init__(self, table: str) -> None:
        self._table = table

    async def lacks(self, version: int) -> str:
        """Return what the kernel lacks to encrypt between addresses of IP 4 or 6, "" for nothing.

        It is tried with a state that nobody uses and that is gone again when this returns.
        """
        return await in_own_thread(lambda: _lacks(version))

    async def guard(self, vnis: Collection[int], ports: Collection[int]) -> None:
        """Let packets of these tunnels, and no others, pass only encrypted. Errors: Internal."""
        text = guard_text(self._table, vnis, ports) if vnis else removal(self._table)
        await in_own_thread(lambda: run_here(text))

    async def guarded(self) -> set[int]:
        """Return the tunnels whose packets are guarded. Errors: Internal."""
        return await in_own_thread(lambda: _guarded(self._table))

    async def present(self) -> Associations:
        """Return our states and policies. Errors: Internal."""
        return await in_own_thread(_present)

    async def most_sent(self) -> int:
        """Return the largest number of packets that left by one of our states. Errors: Internal."""
        return await in_own_thread(_most_sent)

    async def change(self, change: Change) -> None:
        """Bring the kernel from one state to another; what is deleted may be gone.

        Errors:  Internal.
        """
        if change:
            await in_own_thread(lambda: _change(change))


def _lacks(version: int) -> str:
    source, target = _NOWHERE[version]
    key = source, target, secrets.randbelow(1 << 31) + 256
    try:
        connection = NetlinkSocket(NETLINK_XFRM)
    except OSError:
        return "its kernel has no IPsec (module xfrm_user)"
    try:
        connection.send(netlink_xfrm.add_state(key, secrets.token_bytes(_TRIAL_KEY_BYTES)))
        connection.send(netlink_xfrm.delete_state(key), fine=GONE)
    except NetlinkError as error:
        if error.errno in {*_ABSENT, errno.ENOSYS}:
            return f"its kernel has no IPsec ESP with AES-GCM (modules esp{version}, gcm, seqiv)"
        return f"its kernel refuses IPsec ESP ({error.strerror})"
    finally:
        connection.close()
    return ""


def _guarded(table: str) -> set[int]:
    context = NftContext()
    try:
        text = context.run(f"list set inet {table} vnis", as_json=True)
    except FirewallFailed as error:
        if NO_SUCH_THING not in error.message:
            raise
        return set()
    finally:
        context.close()
    listed = json.loads(text)["nftables"]
    return {int(each) for item in listed for each in item.get("set", {}).get("elem", [])}


def _present() -> Associations:
    with _connected("read the encryption between nodes") as connection:
        if connection is None:
            return Associations()
        found = netlink_xfrm.states(connection)
        return Associations(
            # One without a key was asked for by the kernel itself, and serves nobody.
            states={key: secret for key, secret in found if secret},
            policies=dict(netlink_xfrm.policies(connection)),
        )


def _most_sent() -> int:
    with _connected("read how much was encrypted") as connection:
        return netlink_xfrm.most_sent(connection) if connection is not None else 0


def _change(change: Change) -> None:
    with _connected("change the encryption between nodes") as connection:
        if connection is None:
            raise OSError(errno.EPROTONOSUPPORT, "there is no XFRM")
        for key, secret in change.states.items():
            try:
                connection.send(netlink_xfrm.add_state(key, secret))
            except NetlinkError as error:
                if error.errno != errno.EEXIST:
                    raise
                connection.send(netlink_xfrm.replace_state(key, secret))
        _send(connection, [netlink_xfrm.set_policy(*each) for each in change.policies.items()])
        _send(connection, [netlink_xfrm.delete_policy(path) for path in change.lost_policies])
        _send(connection, [netlink_xfrm.delete_state(key) for key in change.lost_states])


def _send(connection: NetlinkSocket, messages: Sequence[Message]) -> None:
    for start in range(0, len(messages), _BATCH):
        connection.send(*messages[start : start + _BATCH], fine=GONE)


@contextmanager
def _connected(what: str) -> Iterator[NetlinkSocket | None]:
    """Lend a socket, None where the kernel has no XFRM; translate what is refused."""
    with explained(what):
        try:
            connection = NetlinkSocket(NETLINK_XFRM)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            yield None
            return
        try:
            yield connection
        finally:
            connection.close()
