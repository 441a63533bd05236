"""A kill -9 at every stage of a change to files: a child runs the change and dies at the n-th step.

A step is a call that changes the file system; the child ends before it, with no clean-up at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

_STEPS = ("replace", "rename", "open", "fsync", "mkdir", "rmdir", "unlink", "write", "fchmod")


def killed_at_every_stage(change: Callable[[], None]) -> Iterator[int]:
    """Run the change again and again, killed one step later each time; yield the step's number.

    Ends after the first run that came to its end. What each run left is for the caller to check.
    """
    for step in range(1, 200):
        if not _is_killed(change, step):
            return
        yield step
    raise AssertionError("the change has no end")


def _is_killed(change: Callable[[], None], step: int) -> bool:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _arm(step)
            change()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.waitstatus_to_exitcode(status) == 0, "the change failed by itself"
    return False


def _arm(step: int) -> None:
    """Have this process killed when it is about to take its n-th step."""
    left = step

    def counted(call: Callable[..., object]) -> Callable[..., object]:
        def take(*arguments: object, **named: object) -> object:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), 9)
            return call(*arguments, **named)

        return take

    for name in _STEPS:
        setattr(os, name, counted(getattr(os, name)))
