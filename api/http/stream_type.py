"""The media type of a stream of output, which tells newer clients whether it has frames."""

from __future__ import annotations

RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
_TOLD_SINCE = (1, 42)


def stream_media_type(*, tty: bool, version: tuple[int, int]) -> str:
    """Return the type for a client of this API version; before 1.42 all streams were called raw."""
    return RAW if tty or version < _TOLD_SINCE else MULTIPLEXED
