"""A network that loses, doubles, delays and cuts."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from random import Random

from manager.core.raft.messages import Message, MessageKind


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad it is: chances from 0 to 1, delays in units of time."""

    loss: float = 0.0
    doubling: float = 0.0
    delay: int = 3
    straggling: float = 0.0  # chance of a delay many times longer, which reorders


FAIR = Weather()


class Network:
    """Messages on their way, by the time they arrive."""

    def __init__(self, chance: Random, weather: Weather) -> None:
        self._chance = chance
        self._under_way: list[tuple[int, int, Message]] = []
        self._count = 0
        self.weather = weather
        self.cut: set[tuple[int, int]] = set()

    def send(self, now: int, message: Message) -> bool:
        """Put a message on its way; False if the sender may notice that it is lost."""
        if (message.sender, message.to) in self.cut:
            return False
        weather = self.weather
        if self._chance.random() < weather.loss:
            return False
        # a proposal that came twice would be two proposals: the transport must not resend one
        may_double = message.kind is not MessageKind.PROPOSE
        copies = 2 if may_double and self._chance.random() < weather.doubling else 1
        for _ in range(copies):
            delay = 1 + self._chance.randrange(weather.delay)
            if self._chance.random() < weather.straggling:
                delay *= 20
            self._count += 1
            heapq.heappush(self._under_way, (now + delay, self._count, message))
        return True

    def arrived(self, now: int) -> list[Message]:
        """Return what arrives by now, or is lost on the way: see `reaches`."""
        messages: list[Message] = []
        while self._under_way and self._under_way[0][0] <= now:
            messages.append(heapq.heappop(self._under_way)[2])
        return messages

    def reaches(self, message: Message) -> bool:
        """Tell whether a message comes through to the receiver: not if the link is cut by now."""
        return (message.sender, message.to) not in self.cut
