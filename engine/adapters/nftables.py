"""The firewall through libnftables, in this process."""

from __future__ import annotations

import asyncio
import ctypes
import json
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from api.errors import Internal
from engine.adapters.netns import to_the_end
from engine.core.firewall import (
    NetworkRules,
    Publication,
    add_network_text,
    publish_text,
    remove_network_text,
    table_text,
    tunnel_ports_text,
    withdraw_text,
)
from engine.core.foreign_firewall import closing_text, opening_text
from engine.core.nft_batch import removal

log = structlog.get_logger(__name__)

_OUTPUT_JSON = 1 << 4
NO_SUCH_THING = "No such file or directory"


class FirewallFailed(Internal):
    """The kernel or libnftables refused a change; nothing of it took effect."""

    def __init__(self, words: str) -> None:
        super().__init__(f"failed to change the firewall (nftables): {words}")


class Nftables:
    """Fulfils `Firewall` with one table of the family inet.

    One thread makes all the changes: libnftables' context is not shared, and order is kept.
    """

    def __init__(self, table: str) -> None:
        self._table = table
        self._lane = ThreadPoolExecutor(max_workers=1, thread_name_prefix="nftables")
        self._context: NftContext | None = None

    async def rebuild(
        self,
        networks: Sequence[NetworkRules],
        publications: Sequence[Publication],
        tunnel_ports: Collection[int],
    ) -> None:
        """Replace the whole table by one that holds exactly this. Errors: Internal."""
        await self._change(table_text(self._table, networks, publications, tunnel_ports))
        for rules in networks:
            await self._open_foreign(rules.bridge)

    async def add_network(self, rules: NetworkRules) -> None:
        """Add what a network needs. Errors: Internal."""
        await self._change(add_network_text(self._table, rules))
        await self._open_foreign(rules.bridge)

    async def remove_network(self, rules: NetworkRules) -> None:
        """Take a network's part away; fine if gone. Errors: Internal."""
        await self._run(self._remove, remove_network_text(self._table, rules))
        await self._run(self._close_foreign, rules.bridge)

    async def guard_tunnels(self, ports: Collection[int]) -> None:
        """Keep containers away from just these UDP ports of nodes. Errors: Internal."""
        await self._change(tunnel_ports_text(self._table, ports))

    async def publish(self, publications: Sequence[Publication]) -> None:
        """Make the ports reachable, all or none. Errors: Internal."""
        if publications:
            await self._change(publish_text(self._table, publications))

    async def withdraw(self, publications: Sequence[Publication]) -> None:
        """Make them unreachable; fine if some are gone. Errors: Internal."""
        if publications:
            await self._run(self._withdraw, publications)

    async def remove_table(self) -> None:
        """Take the whole table away; fine if gone. Errors: Internal."""
        await self._change(removal(self._table))

    def close(self) -> None:
        """End the thread, after what was asked of it."""
        self._lane.shutdown(wait=True)

    async def _change(self, text: str) -> None:
        await self._run(self._apply, text)

    async def _open_foreign(self, bridge: str) -> None:
        try:
            await self._run(self._open_foreign_chains, bridge)
        except FirewallFailed as error:
            log.warning("firewall.foreign_drop_remains", bridge=bridge, error=error.message)

    async def _run(self, work: Any, argument: object) -> None:
        loop = asyncio.get_running_loop()
        await to_the_end(loop.run_in_executor(self._lane, work, argument))

    def _apply(self, text: str) -> None:
        self._ready().run(text)

    def _withdraw(self, publications: Sequence[Publication]) -> None:
        try:
            self._apply(withdraw_text(self._table, publications))
        except FirewallFailed as error:
            if NO_SUCH_THING not in error.message:
                raise
            for each in publications:
                self._remove(withdraw_text(self._table, [each]))

    def _remove(self, text: str) -> None:
        """Apply a removal; fine if what it removes, or the whole table, is gone."""
        try:
            self._apply(text)
        except FirewallFailed as error:
            if NO_SUCH_THING not in error.message:
                raise

    def _open_foreign_chains(self, bridge: str) -> None:
        text = opening_text(self._ruleset(), bridge)
        if text:
            self._apply(text)
            log.info("firewall.foreign_chains_opened", bridge=bridge)

    def _close_foreign(self, bridge: str) -> None:
        text = closing_text(self._ruleset(), bridge)
        if text:
            self._apply(text)

    def _ruleset(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._ready().run("list ruleset", as_json=True))
        return found

    def _ready(self) -> NftContext:
        if self._context is None:
            self._context = NftContext()
        return self._context


def run_here(text: str) -> None:
    """Run one transaction in the network namespace of the calling thread. Errors: Internal."""
    context = NftContext()
    try:
        context.run(text)
    finally:
        context.close()


class NftContext:
    """A libnftables context. Source: libnftables(3)."""

    def __init__(self) -> None:
        try:
            library = ctypes.CDLL("libnftables.so.1")
        except OSError as error:
            words = "libnftables.so.1 is missing (Debian's package libnftables1)"
            raise FirewallFailed(words) from error
        library.nft_ctx_new.restype = ctypes.c_void_p
        library.nft_ctx_new.argtypes = [ctypes.c_uint32]
        for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_free"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
        for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
            getattr(library, name).restype = ctypes.c_char_p
        library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        library.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
        self._library = library
        self._context = library.nft_ctx_new(0)
        library.nft_ctx_buffer_output(self._context)
        library.nft_ctx_buffer_error(self._context)

    def close(self) -> None:
        """Let go of it and of its socket."""
        self._library.nft_ctx_free(self._context)

    def run(self, text: str, *, as_json: bool = False) -> str:
        """Run one transaction and return what it printed. Errors: FirewallFailed."""
        library, context = self._library, self._context
        library.nft_ctx_output_set_flags(context, _OUTPUT_JSON if as_json else 0)
        failed = library.nft_run_cmd_from_buffer(context, text.encode())
        printed = (library.nft_ctx_get_output_buffer(context) or b"").decode(errors="replace")
        words = (library.nft_ctx_get_error_buffer(context) or b"").decode(errors="replace")
        if failed:
            # The first complaint says it all: an error, its line and a mark under its place.
            first = " ".join(words.split("Error: ")[1:2]).split("\n")[0:2]
            raise FirewallFailed(": ".join(first) or words.strip() or "no reason given")
        return str(printed)
