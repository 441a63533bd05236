"""What a node says over HTTP of the tasks that it has of a service, to load balancers in front."""

from __future__ import annotations

import json

HEAD_LIMIT_BYTES = 8192


def answer(head: bytes, service: str, count: int) -> bytes:
    """Return the answer to a request: 200 with at least one task that may work, 503 with none.

    Shape:   {"service": {"name": "web"}, "localEndpoints": 2}, whatever path was asked for.
    Source:  Kubernetes' healthCheckNodePort, which load balancers know to ask.
    """
    method = head.partition(b" ")[0]
    if method not in {b"GET", b"HEAD"}:
        return _response("405 Method Not Allowed", b"", has_body=True)
    body = json.dumps({"service": {"name": service}, "localEndpoints": count}).encode()
    status = "200 OK" if count else "503 Service Unavailable"
    return _response(status, body, has_body=method == b"GET")


def _response(status: str, body: bytes, *, has_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if has_body else b"")
