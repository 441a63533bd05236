"""Lists of many objects, the CLI that shows them, and the events of many changes."""

from __future__ import annotations

import json
import time
from threading import Thread

from bench.api import Connection
from bench.cases import IMAGE, SLEEP, reads, seconds
from bench.measure import Case
from bench.servers import Server
from tests.root.images import ImageFile, ImageSpec, docker_archive, make_layer

IMAGES = 100
CONTAINERS = 1000
EVENTS = 300


class ListingCases:
    """Measured with a hundred containers there; the images come with the first case on them."""

    def __init__(self) -> None:
        self._filled: set[str] = set()

    def cases(self) -> list[Case]:
        """Return all of them."""
        return [
            Case("docker ps", "ms", "lower", 1.0, _docker_ps, 7),
            Case("docker stats", "ms", "lower", 1.0, _docker_stats, 3),
            Case("events", "events/s", "higher", 1.0, _events, 3),
            Case("100 images", "req/s", "higher", 2.0, self._hundred_images, 5),
            # the last one: it leaves a thousand containers behind
            Case("docker ps, 1,000", "ms", "lower", 1.0, self._ps_of_thousand, 5),
        ]

    def _ps_of_thousand(self, server: Server) -> float:
        api = Connection(server.socket)
        listed = api.call("GET", "/containers/json?all=1")
        for _ in range(CONTAINERS - len(listed)):
            api.call("POST", "/containers/create", {**SLEEP, "HostConfig": {"NetworkMode": "none"}})
        return 1000 * seconds(lambda: server.docker("ps", "-a"))

    def _hundred_images(self, server: Server) -> float:
        if server.name not in self._filled:
            layer = make_layer([ImageFile("a", b"a")])
            specs = [
                ImageSpec([f"bench/many:{i}"], [layer], {"Labels": {"number": str(i)}})
                for i in range(IMAGES)
            ]
            server.docker("load", "-q", stdin=docker_archive(specs))
            self._filled.add(server.name)
        return reads("/images/json")(server)


def _docker_stats(server: Server) -> float:
    return 1000 * seconds(lambda: server.docker("stats", "--no-stream"))


def _docker_ps(server: Server) -> float:
    return 1000 * seconds(lambda: server.docker("ps"))


def _events(server: Server) -> float:
    """Return how many changes per second reach a listener: as many tags, one after the other."""
    listener = Connection(server.socket)
    filters = json.dumps({"event": ["tag"]}).replace('"', "%22").replace(" ", "")
    listener.request("GET", f"/v1.41/events?filters={filters}")
    lines = listener.getresponse()
    heard = Thread(target=lambda: [lines.readline() for _ in range(EVENTS)])
    heard.start()
    api = Connection(server.socket)
    begin = time.perf_counter()
    for number in range(EVENTS):
        api.call("POST", f"/images/{IMAGE}/tag?repo=bench/tag&tag={number % 10}")
    heard.join()
    return EVENTS / (time.perf_counter() - begin)
