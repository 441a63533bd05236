"""What removing an image by a name or id means: names lost, conflicts, or the whole image.

Source:  the rules that `docker rmi` documents, with the words that its users match on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.errors import Conflict
from api.ids import short_id
from api.references import Reference


@dataclass(frozen=True, slots=True)
class Use:
    """A container of the image."""

    container_id: str
    running: bool


@dataclass(frozen=True, slots=True)
class Removal:
    """What to do: names to take away, and whether the image goes too."""

    untag: Sequence[Reference]
    delete: bool


def plan_removal(
    ref: str,
    image_id: str,
    references: Sequence[Reference],
    uses: Sequence[Use],
    *,
    force: bool,
    by_id: bool,
    named: Reference | None = None,
) -> Removal:
    """Return what a removal does; `named` is the reference that `ref` means, if by name.

    Errors:  Conflict.
    """
    if by_id or named is None:
        if is_single(references):
            _check(image_id, references, uses, force=force, count_names=False)
        else:
            _check(image_id, references, uses, force=force, count_names=True)
        return Removal(references, delete=True)
    if not force and uses and is_single(references):
        raise Conflict(
            f'conflict: unable to remove repository reference "{ref}" (must force) - container '
            f"{short_id(uses[0].container_id)} is using its referenced image {short_id(image_id)}"
        )
    gone = [named]
    left = [each for each in references if each != named]
    if not named.digest and not any(each.tag and each.name == named.name for each in left):
        gone += [each for each in left if each.name == named.name]
        left = [each for each in left if each.name != named.name]
    if left or any(use.running for use in uses) or (uses and not force):
        return Removal(gone, delete=False)
    return Removal(gone, delete=True)


def is_single(references: Sequence[Reference]) -> bool:
    """Tell whether an image has one name: one tag at most, digests of the same repository."""
    if len(references) < 2:
        return len(references) == 1
    tags = [each for each in references if each.tag]
    if len(tags) > 1:
        return False
    repository = tags[0].name if tags else references[0].name
    return {each.name for each in references if each.digest} == {repository}


def _check(
    image_id: str,
    references: Sequence[Reference],
    uses: Sequence[Use],
    *,
    force: bool,
    count_names: bool,
) -> None:
    running = next((use for use in uses if use.running), None)
    if running is not None:
        raise _conflict(
            image_id,
            "cannot be forced",
            f"image is being used by running container {short_id(running.container_id)}",
        )
    if force:
        return
    if count_names and len(references) > 1:
        raise _conflict(image_id, "must be forced", "image is referenced in multiple repositories")
    if uses:
        raise _conflict(
            image_id,
            "must be forced",
            f"image is being used by stopped container {short_id(uses[0].container_id)}",
        )


def _conflict(image_id: str, how: str, why: str) -> Conflict:
    return Conflict(f"conflict: unable to delete {short_id(image_id)} ({how}) - {why}")
