"""How a change can end when leadership moves: certainly not done, or unknown."""

from __future__ import annotations

from api.errors import Unavailable


class NotDone(Unavailable):
    """The change certainly did not happen: it may be tried again."""


class NotLeader(NotDone):
    """Another manager leads, or none."""

    def __init__(self) -> None:
        super().__init__("this manager is not the leader")


class Unreachable(NotDone):
    """The leader could not be asked at all."""

    def __init__(self, address: str) -> None:
        super().__init__(f"the leader at {address} cannot be reached")


class OutcomeUnknown(Unavailable):
    """The leader was lost in the middle: the change may have happened or may still happen."""

    def __init__(self) -> None:
        super().__init__(
            "the leader was lost while it worked on this request: it is unknown whether the "
            "change was made; look before you try again"
        )
