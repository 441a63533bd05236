"""Image and request become one configuration."""

from __future__ import annotations

import pytest

from api.types.containers import ContainerConfig
from engine.core.merge import NoCommand, command_line, merge

IMAGE = ContainerConfig(
    Entrypoint=["/entry"], Cmd=["serve"], Env=["PATH=/bin", "A=image"], User="www",
    WorkingDir="/srv", Labels={"a": "image", "b": "image"}, Volumes={"/data": {}},
    ExposedPorts={"80/tcp": {}}, StopSignal="SIGINT",
)  # fmt: skip


@pytest.mark.parametrize(
    ("entrypoint", "command", "words"),
    [
        (None, None, ["/entry", "serve"]),
        (None, ["other"], ["/entry", "other"]),
        (["/mine"], None, ["/mine"]),
        (["/mine"], ["x"], ["/mine", "x"]),
        ([""], ["x"], ["x"]),
        ([], ["x"], ["x"]),
        ([], None, ["serve"]),
    ],
)
def test_own_entrypoint_drops_the_image_s_command(
    entrypoint: list[str] | None, command: list[str] | None, words: list[str]
) -> None:
    """The rules of ENTRYPOINT and CMD."""
    merged = merge(ContainerConfig(Entrypoint=entrypoint, Cmd=command), IMAGE)

    path, args = command_line(merged)

    assert words == [path, *args]


def test_no_command_anywhere_is_refused() -> None:
    """Docker's words."""
    with pytest.raises(NoCommand, match="no command specified"):
        merge(ContainerConfig(Entrypoint=[""]), IMAGE)


def test_own_variables_hide_the_image_s() -> None:
    """Own ones first, as the reference orders them."""
    merged = merge(ContainerConfig(Env=["A=mine", "B"]), IMAGE)

    assert ["A=mine", "B", "PATH=/bin"] == merged.Env


def test_the_rest_is_filled_in_from_the_image() -> None:
    """Empty means inherit; maps are joined, own values first."""
    merged = merge(ContainerConfig(Labels={"a": "mine"}, ExposedPorts={"81/tcp": {}}), IMAGE)

    assert {"a": "mine", "b": "image"} == merged.Labels
    assert {"80/tcp": {}, "81/tcp": {}} == merged.ExposedPorts
    assert {"/data": {}} == merged.Volumes
    assert ("www", "/srv", "SIGINT") == (merged.User, merged.WorkingDir, merged.StopSignal)
