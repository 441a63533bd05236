"""HTTP to authorities elsewhere. Imported where one is asked: aiohttp takes long to import."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import aiohttp

_ANSWER_LIMIT_BYTES = 1 << 20


class Failed(Exception):
    """There is no answer, or none that is taken."""


async def post(
    url: str, order: Mapping[str, object], context: ssl.SSLContext, timeout_s: float
) -> tuple[int, bytes]:
    """Return status and body of the answer to a document of JSON. Errors: Failed."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_s)) as session,
            session.post(url, json=order, ssl=context, allow_redirects=False) as response,
        ):
            return response.status, await _content(response)
    except TimeoutError as error:
        raise Failed("no answer in time") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Failed(str(error) or type(error).__name__) from error


async def _content(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        if len(content) > _ANSWER_LIMIT_BYTES:
            raise Failed(f"its answer is larger than {_ANSWER_LIMIT_BYTES} bytes")
    return bytes(content)
