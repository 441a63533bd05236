"""What a group of tasks failed of, as one error."""

from __future__ import annotations

from api.errors import SkepError


def single(error: BaseException) -> BaseException:
    """Return the first error of a group, as deep as it may be; another error as it is."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def first_error(errors: BaseExceptionGroup) -> SkepError | None:
    """Return the error that came first, the others came of it; None if some are no SkepErrors.

    For `except BaseExceptionGroup`: what `except*` raises comes as a group again before Python
    3.11.4, and Debian 12 has 3.11.2.
    """
    first = single(errors)
    return first if isinstance(first, SkepError) and errors.split(SkepError)[1] is None else None
