"""Every error that Skep answers with: its HTTP status, its gRPC code, its words.

Clients match on message texts, so each text is written once, in the leaf class that raises it;
leaves live beside the noun they speak of when only that noun raises them, and here when shared.
Source of the statuses: Engine API 1.56, the responses of each operation.
"""

from __future__ import annotations

from typing import ClassVar


class SkepError(Exception):
    """Base of all answers that are errors; `message` is what the client reads."""

    http: ClassVar[int] = 500
    grpc: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidArgument(SkepError):
    """The request itself is wrong: 400."""

    http = 400
    grpc = "INVALID_ARGUMENT"


class Unauthenticated(SkepError):
    """Who asks is unknown: 401."""

    http = 401
    grpc = "UNAUTHENTICATED"


class Forbidden(SkepError):
    """Who asks may not: 403."""

    http = 403
    grpc = "PERMISSION_DENIED"


class NotFound(SkepError):
    """There is no such object: 404."""

    http = 404
    grpc = "NOT_FOUND"


class Conflict(SkepError):
    """The object's state forbids it: in use, exists, stale: 409."""

    http = 409
    grpc = "ABORTED"


class NotModified(SkepError):
    """What was asked for is so already: 304, without a body."""

    http = 304
    grpc = "OK"


class Internal(SkepError):
    """Something failed on our side: 500."""


class Expired(SkepError):
    """A time limit ran out: 500."""

    grpc = "DEADLINE_EXCEEDED"


class Unsupported(SkepError):
    """Not built, or the kernel lacks it: 501."""

    http = 501
    grpc = "UNIMPLEMENTED"


class Unavailable(SkepError):
    """No quorum, no manager, or not ready yet: 503."""

    http = 503
    grpc = "UNAVAILABLE"


class NoSuchContainer(NotFound):
    """No container has this id, name or unique id prefix."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"No such container: {ref}")


class NoSuchImage(NotFound):
    """No image has this reference or id."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"No such image: {ref}")


class NoSuchNetwork(NotFound):
    """No network has this name or id."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"network {ref} not found")


class NoSuchVolume(NotFound):
    """No volume has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"get {name}: no such volume")


class NoSuchExec(NotFound):
    """No exec instance has this id."""

    def __init__(self, exec_id: str) -> None:
        super().__init__(f"No such exec instance: {exec_id}")


class AmbiguousPrefix(InvalidArgument):
    """An id prefix fits more than one object."""

    def __init__(self, prefix: str) -> None:
        super().__init__(f"multiple IDs found with provided prefix: {prefix}")
