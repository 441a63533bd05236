"""Resources that an operator makes up, as daemon.json has them."""

from __future__ import annotations

import pytest

from agent.core.generic_resources import parse_generic_resources
from api.errors import InvalidArgument
from api.types.resources import DiscreteGenericResource, GenericResource, NamedGenericResource


def test_counted_and_named_resources_are_told_apart() -> None:
    expected = (
        GenericResource(DiscreteResourceSpec=DiscreteGenericResource(Kind="ssd", Value=3)),
        GenericResource(NamedResourceSpec=NamedGenericResource(Kind="gpu", Value="UUID1")),
        GenericResource(NamedResourceSpec=NamedGenericResource(Kind="gpu", Value="UUID2")),
    )

    assert expected == parse_generic_resources(["ssd=3", "gpu=UUID1,gpu=UUID2"])


@pytest.mark.parametrize(
    "texts",
    [["gpu"], ["gpu="], ["=1"], ["gpu=1", "gpu=2"], ["gpu=1", "gpu=a"], ["gpu=a,gpu=a"], ["g=-1"]],
)
def test_nonsense_is_refused(texts: list[str]) -> None:
    with pytest.raises(InvalidArgument, match="could not parse GenericResource"):
        parse_generic_resources(texts)
