"""What `skep network doctor` says on every host."""

from __future__ import annotations

from collections.abc import Sequence

from tests.cluster.host import Host
from tests.root.node import wait_until

_SOUND = "The networks are as the managers say.\n"


def until_sound(hosts: Sequence[Host]) -> None:
    """Wait until the doctor finds nothing anywhere; fail with what it found last."""
    for host in hosts:
        said: list[str] = []

        def is_sound(host: Host = host, said: list[str] = said) -> bool:
            said.append(host.skep("network", "doctor", check=False))
            return said[-1] == _SOUND

        try:
            wait_until(is_sound, f"{host.hostname} to be sound", 30)
        except AssertionError as error:
            raise AssertionError(f"{error}: {said[-1]}") from None
