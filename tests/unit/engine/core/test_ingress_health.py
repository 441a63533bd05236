"""What load balancers are told of a service's tasks."""

from __future__ import annotations

import json

from engine.core.ingress_health import answer


def test_a_node_with_tasks_is_well_and_says_how_many() -> None:
    """In the shape that Kubernetes made known."""
    head, _, body = answer(b"GET /healthz HTTP/1.1\r\n\r\n", "web", 2).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert {"service": {"name": "web"}, "localEndpoints": 2} == json.loads(body)


def test_a_node_without_tasks_is_not() -> None:
    """The balancer sends nobody there."""
    assert answer(b"GET / HTTP/1.0\r\n\r\n", "web", 0).startswith(b"HTTP/1.1 503 ")


def test_who_asks_for_the_head_gets_no_body_and_nothing_can_be_done_here() -> None:
    """It only tells."""
    head = answer(b"HEAD / HTTP/1.1\r\n\r\n", "web", 1)

    assert head.endswith(b"\r\n\r\n")
    assert answer(b"POST / HTTP/1.1\r\n\r\n", "web", 1).startswith(b"HTTP/1.1 405 ")
