"""Transactions of nftables inside of sandboxes."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from api.errors import SkepError
from engine.adapters.host_links import explained
from engine.adapters.netns import enter_network, in_own_thread
from engine.adapters.nftables import NO_SUCH_THING, FirewallFailed, NftContext
from engine.core.nft_batch import INET
from engine.ports.overlay import Transaction

# A context knows its namespace's tables: a change through it takes a tenth of a millisecond, and
# through a new one as long as reading all of these. Each takes half a megabyte.
_KEPT = 32


class SandboxNft:
    """Fulfils `Balancers`."""

    def __init__(self) -> None:
        self._contexts: OrderedDict[str, NftContext] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # What was closed while its context was at work.
        self._closed: set[str] = set()

    async def run(self, key: str, namespace_path: str, text: str) -> None:
        """Carry out a transaction in the namespace. Errors: Internal."""
        async with self._locks.setdefault(key, asyncio.Lock()):
            context = self._take(key)
            if context is None:
                context = await in_own_thread(lambda: _open(Path(namespace_path)))
            try:
                await in_own_thread(lambda: context.run(text))
            except BaseException:
                context.close()
                raise
            self._keep({key: context})

    async def run_all(self, orders: Sequence[Transaction]) -> dict[str, SkepError]:
        """Carry out one in each of several sandboxes, all by one thread."""
        async with AsyncExitStack() as held:
            # In order, so that nobody waits for who waits for him.
            for key in sorted({each.key for each in orders}):
                await held.enter_async_context(self._locks.setdefault(key, asyncio.Lock()))
            used = {
                each.key: context
                for each in orders
                if (context := self._take(each.key)) is not None
            }
            try:
                failed = await in_own_thread(lambda: _run_all(orders, used))
            except BaseException:
                for context in used.values():
                    context.close()
                raise
            self._keep(used)
        return failed

    async def slots(self, namespace_path: str, table: str) -> dict[str, dict[str, int]]:
        """Return the targets and their numbers of slots by virtual address."""
        listed = await in_own_thread(lambda: _list(Path(namespace_path), table))
        found: dict[str, dict[str, int]] = {}
        for item in listed:
            for element in item.get("map", {}).get("elem", []):
                if not item["map"]["name"].startswith("slots"):
                    continue
                *key, _ = element[0]["concat"]
                targets = found.setdefault(_spelled(key), {})
                target = element[1]
                spelled = _spelled(target["concat"]) if isinstance(target, dict) else str(target)
                targets[spelled] = targets.get(spelled, 0) + 1
        return found

    async def elements(self, namespace_path: str, table: str, family: str = INET) -> set[str]:
        """Return what is in the table's sets, each behind the set's name; none of intervals."""
        listed = await in_own_thread(lambda: _list(Path(namespace_path), table, family))
        return {
            f"{item['set']['name']} {_spelled_element(element)}"
            for item in listed
            if "interval" not in item.get("set", {}).get("flags", [])
            for element in item.get("set", {}).get("elem", [])
        }

    def close(self, key: str) -> None:
        """Let go of what is kept for a sandbox; fine if nothing is."""
        context = self._contexts.pop(key, None)
        if context is not None:
            context.close()
        elif (lock := self._locks.get(key)) is not None and lock.locked():
            self._closed.add(key)

    def close_all(self) -> None:
        """Let go of everything."""
        for key in list(self._contexts):
            self.close(key)

    def _take(self, key: str) -> NftContext | None:
        """Return what is kept, for work under the key's lock."""
        self._closed.discard(key)
        return self._contexts.pop(key, None)

    def _keep(self, used: Mapping[str, NftContext]) -> None:
        """Keep contexts for the next time; one that was closed meanwhile would hold its namespace.

        And the next sandbox under its key would be taken for that one.
        """
        for key, context in used.items():
            if key in self._closed:
                context.close()
            else:
                self._contexts[key] = context
        while len(self._contexts) > _KEPT:
            self._contexts.popitem(last=False)[1].close()


def _spelled(parts: Sequence[object]) -> str:
    return " . ".join(map(str, parts))


def _spelled_element(element: object) -> str:
    return _spelled(element["concat"]) if isinstance(element, dict) else str(element)


def _list(path: Path, table: str, family: str = INET) -> list[dict[str, Any]]:
    context = _open(path)
    try:
        text = context.run(f"list table {family} {table}", as_json=True)
    except FirewallFailed as error:
        if NO_SUCH_THING not in error.message:
            raise
        return []
    finally:
        context.close()
    found: list[dict[str, Any]] = json.loads(text)["nftables"]
    return found


def _run_all(
    orders: Sequence[Transaction], contexts: dict[str, NftContext]
) -> dict[str, SkepError]:
    """Carry out all; `contexts` are those to use, and in the end those that may be used again."""
    failed: dict[str, SkepError] = {}
    for order in orders:
        context = contexts.pop(order.key, None)
        try:
            if context is None:
                context = _open(Path(order.namespace_path))
            context.run(order.text)
        except SkepError as error:
            failed[order.key] = error
            if context is not None:
                context.close()
        else:
            contexts[order.key] = context
    return failed


def _open(path: Path) -> NftContext:
    with explained("enter a sandbox"):
        enter_network(path)
    # A context speaks to the namespace in which it was made, from whatever thread.
    return NftContext()
