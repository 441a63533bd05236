"""Errors across gRPC: a SkepError raised in a manager's method is raised again at its caller.

The status carries the message; the trailing metadata `skep-error` carries the names of the error's
classes, leaf first, so that a caller of another version, which lacks the leaf, raises its base.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import grpc
import grpc.aio

from api.errors import (
    Conflict,
    Expired,
    Forbidden,
    Internal,
    InvalidArgument,
    NotFound,
    SkepError,
    Unauthenticated,
    Unavailable,
    Unsupported,
)

_METADATA_KEY = "skep-error"
_MESSAGE_LIMIT = 2_000  # characters; a status travels in a header, which is at most 8 KiB
_BY_CODE: dict[grpc.StatusCode, type[SkepError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.OUT_OF_RANGE: InvalidArgument,
    grpc.StatusCode.FAILED_PRECONDITION: Conflict,
    grpc.StatusCode.ABORTED: Conflict,
    grpc.StatusCode.ALREADY_EXISTS: Conflict,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: Forbidden,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.DEADLINE_EXCEEDED: Expired,
    grpc.StatusCode.UNIMPLEMENTED: Unsupported,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: InvalidArgument,
}


@contextmanager
def raised_here() -> Iterator[None]:
    """Let errors of gRPC calls inside leave as the SkepErrors that the manager raised.

    What no manager raised is told by its code: Unavailable where there is no connection, Expired
    after the caller's time-out. Cancellation passes untouched.
    """
    try:
        yield
    except grpc.aio.AioRpcError as cause:
        raise from_status(cause) from cause


def from_status(error: grpc.aio.AioRpcError) -> SkepError:
    """Return the SkepError that a failed call stands for."""
    # The stubs say tuple; the library gives its Metadata, which is a mapping.
    metadata = cast("grpc.aio.Metadata | None", error.trailing_metadata())
    names = str(metadata.get(_METADATA_KEY, "")) if metadata else ""
    message = error.details() or error.code().name.lower().replace("_", " ")
    return _rebuilt(_class_of(names, error.code()), message)


def code_of(error: SkepError) -> grpc.StatusCode:
    """Return the status with which the error travels."""
    code = grpc.StatusCode.__members__[error.grpc]
    return grpc.StatusCode.INTERNAL if code is grpc.StatusCode.OK else code


def details_of(error: SkepError) -> str:
    """Return the message as it travels."""
    if len(error.message) <= _MESSAGE_LIMIT:
        return error.message
    return error.message[: _MESSAGE_LIMIT - 1] + "…"


def metadata_of(error: SkepError) -> tuple[tuple[str, str], ...]:
    """Return the trailing metadata that names the error's classes."""
    classes = [each for each in type(error).__mro__ if issubclass(each, SkepError)]
    return ((_METADATA_KEY, ",".join(each.__name__ for each in classes)),)


def _class_of(names: str, code: grpc.StatusCode) -> type[SkepError]:
    if names:
        known = {each.__name__: each for each in _subclasses(SkepError)}
        for name in names.split(","):
            if name in known:
                return known[name]
    return _BY_CODE.get(code, Internal)


def _subclasses(kind: type[SkepError]) -> Iterator[type[SkepError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _subclasses(each)


def _rebuilt(kind: type[SkepError], message: str) -> SkepError:
    """Return an error of the class with the message as it came; leaves compose theirs otherwise."""
    error = kind.__new__(kind)
    SkepError.__init__(error, message)
    return error
