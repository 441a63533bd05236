"""Errors of a stream: a status before its first line, a line of its own after."""

from __future__ import annotations

from collections.abc import AsyncIterator

from api.errors import SkepError
from api.progress import error_line


async def opened(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Return the same lines once the first is there.

    Errors before the first line are raised here; later ones become the last line.
    """
    try:
        first = await anext(lines)
    except StopAsyncIteration:
        first = b""
    return _rest(first, lines)


async def _rest(first: bytes, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        yield first
        async for line in lines:
            yield line
    except SkepError as error:
        yield error_line(error.message)
    finally:
        close = getattr(lines, "aclose", None)
        if close is not None:
            await close()
