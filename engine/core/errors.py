"""Errors that the engine acts on, besides telling them."""

from __future__ import annotations

from api.errors import Internal, InvalidArgument


class RuntimeFailed(InvalidArgument):
    """The OCI runtime refused: its words, and the exit code that Docker gives the container.

    126 when the command cannot be executed, 127 when it does not exist, 128 otherwise.
    """

    def __init__(self, message: str, exit_code: int = 128) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class NoSpaceLeft(Internal):
    """The disk is full: what was half done is taken away, not kept for another try."""

    def __init__(self, what: str) -> None:
        super().__init__(f"no space left on device: {what}")
