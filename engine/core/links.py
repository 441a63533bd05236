"""Links of the default bridge: another container's address and ports, told by variables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_NOT_TOLD = ("HOME=", "PATH=")


def parse_link(text: str) -> tuple[str, str]:
    """Return (container, alias) of "db:sql", "db" or, as inspect shows it, "/db:/web/sql"."""
    target, _, alias = text.partition(":")
    target = target.removeprefix("/")
    return target, alias.rpartition("/")[2] or target


def link_environment(
    owner: str, alias: str, address: str, ports: Iterable[str], variables: Sequence[str]
) -> list[str]:
    """Return what a container is told of one that it is linked to.

    `ports` have the form "80/tcp"; `variables` are those of the other's configuration.
    """
    prefix = alias.upper().replace("-", "_").replace(".", "_")
    told = [f"{prefix}_NAME=/{owner}/{alias}"]
    numbers = sorted(
        (int(number), protocol or "tcp")
        for number, _, protocol in (each.partition("/") for each in ports)
        if number.isdigit()
    )
    for position, (number, protocol) in enumerate(numbers):
        url = f"{protocol}://{address}:{number}"
        if not position:
            told.append(f"{prefix}_PORT={url}")
        name = f"{prefix}_PORT_{number}_{protocol.upper()}"
        told += [
            f"{name}={url}",
            f"{name}_ADDR={address}",
            f"{name}_PORT={number}",
            f"{name}_PROTO={protocol}",
        ]
    told += [f"{prefix}_ENV_{each}" for each in variables if not each.startswith(_NOT_TOLD)]
    return told
