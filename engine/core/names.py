"""Container names: which are allowed, and friendly ones for those who give none."""

from __future__ import annotations

import re
from collections.abc import Callable

from api.errors import InvalidArgument

_NAME = re.compile(r"/?[a-zA-Z0-9][a-zA-Z0-9_.-]+", re.ASCII)


def _words(text: str) -> list[str]:
    return text.split()


_ADJECTIVES = _words(
    "able agile airy amber ample apt azure balmy bold brave breezy bright brisk calm candid "
    "cheery clever cosy crisp curious dapper daring deft eager early earnest easy fair fancy fine "
    "fleet fond frank fresh gentle glad golden grand happy hardy hearty honest humble jolly keen "
    "kind light lively loyal lucid lucky mellow merry mild modest neat nimble noble patient "
    "plucky polite proud quick quiet ready rosy serene sharp shiny silent silver simple sleek "
    "smart snug solid spry steady sunny sure swift tidy trusty upbeat vivid warm wise witty young "
    "zesty"
)
_NOUNS = _words(
    "acorn alder apiary ash aster badger basil beacon beech bee birch bramble brook bumble canyon "
    "cedar cell clover comb coral cove crane crocus daisy dale drone dune elm falcon fern field "
    "finch fjord forager garden glade grove harbor hazel heath hedge heron hive hollow honey ivy "
    "juniper kestrel lagoon lark laurel lilac linden lotus maple marten meadow mint moss nectar "
    "oak olive orchard otter petal pine pollen poplar prairie queen quince reed ridge robin rowan "
    "sage skep spruce swallow swarm tansy thistle thyme tulip valley violet wax willow wren "
    "yarrow"
)


class InvalidName(InvalidArgument):
    """The name has characters that names do not have."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        )


def check_name(name: str) -> str:
    """Return the name without its leading slash. Errors: InvalidName."""
    if len(name) > 255 or _NAME.fullmatch(name) is None:
        raise InvalidName(name)
    return name.removeprefix("/")


def random_name(draw: Callable[[int], int], attempt: int = 0) -> str:
    """Return adjective_noun; after some attempts a digit follows, as all pairs may be taken.

    `draw(n)` gives a number from 0 to n-1.
    """
    name = f"{_ADJECTIVES[draw(len(_ADJECTIVES))]}_{_NOUNS[draw(len(_NOUNS))]}"
    return name if attempt < 3 else f"{name}{draw(10 ** min(attempt - 1, 9))}"
