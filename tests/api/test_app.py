"""Versions, headers, error bodies, JSON bodies."""

from __future__ import annotations

import pytest

from api.http.bodies import JSON_LIMIT_BYTES
from tests.api.served import Client


@pytest.mark.parametrize(
    ("path", "version"),
    [("/version", [1, 56]), ("/v1.24/version", [1, 24]), ("/v1.56/version", [1, 56])],
)
async def test_path_names_the_version(client: Client, path: str, version: list[int]) -> None:
    reply = await client.request("GET", path)

    assert version == reply.json()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "/v1.23/version",
            "client version 1.23 is too old. Minimum supported API version is 1.24, "
            "please upgrade your client to a newer version",
        ),
        (
            "/v1.57/version",
            "client version 1.57 is too new. Maximum supported API version is 1.56",
        ),
    ],
)
async def test_version_outside_the_range_is_refused_in_dockers_words(
    client: Client, path: str, message: str
) -> None:
    reply = await client.request("GET", path)

    assert (400, {"message": message}) == (reply.status, reply.json())


async def test_every_response_says_who_answers(client: Client) -> None:
    """The docker command learns the API version from these headers."""
    reply = await client.request("GET", "/nowhere")

    assert reply.headers["api-version"] == "1.56"
    assert reply.headers["ostype"] == "linux"
    assert reply.headers["docker-experimental"] == "false"
    assert reply.headers["server"].startswith("Skep/")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nowhere"), ("PUT", "/version"), ("GET", "/v1.40/"), ("GET", "/")]
)
async def test_unknown_route_is_page_not_found(client: Client, method: str, path: str) -> None:
    reply = await client.request(method, path)

    assert (404, {"message": "page not found"}) == (reply.status, reply.json())


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        ("/images/a/b:1/json?size=1", ["a/b:1", True, 0]),
        ("/images/host%2Fa%3A1/json?size=false&n=5", ["host/a:1", False, 5]),
        ("/images//a/json", ["a", False, 0]),
    ],
)
async def test_names_may_hold_slashes(client: Client, target: str, seen: list[object]) -> None:
    reply = await client.request("GET", target)

    assert seen == reply.json()


async def test_known_error_has_its_status(client: Client) -> None:
    reply = await client.request("GET", "/fails/known")

    assert (404, {"message": "No such container: x"}) == (reply.status, reply.json())


async def test_not_modified_has_no_body(client: Client) -> None:
    reply = await client.request("GET", "/fails/unmodified")

    assert (304, b"") == (reply.status, reply.body)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_no_content_has_no_body(client: Client, method: str) -> None:
    reply = await client.request(method, "/empty")

    assert (204, b"") == (reply.status, reply.body)


async def test_panic_is_500_and_the_next_request_is_served(client: Client) -> None:
    reply = await client.request("GET", "/fails/badly")
    after = await client.request("GET", "/version")

    assert 500 == reply.status
    assert "broken" in reply.json()["message"]
    assert 200 == after.status


async def test_null_means_absent(client: Client) -> None:
    reply = await client.post_json("/wish", b'{"Names":null,"Limits":{"Memory":null}}')

    assert {"Names": [], "Limits": {"Memory": 0}} == reply.json()


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b'{"Limits":{"Memory":"x"}}', "$.Limits.Memory"),
        (b'{"Names":null,"Limits":{"Memory":"x"}}', "$.Limits.Memory"),
        (b"{", "invalid JSON"),
        (b"{} {}", "invalid JSON"),
        (b"[" * 100_000, "invalid JSON"),
        (b'{"Names":["\xff"]}', "invalid JSON"),
        (b"[1]", "invalid JSON"),
        (b'{"Limits":{"Memory":' + b"9" * 10_000 + b"}}", "$.Limits.Memory"),
    ],
)
async def test_bad_json_is_400_naming_the_place(client: Client, content: bytes, part: str) -> None:
    reply = await client.post_json("/wish", content)

    assert 400 == reply.status
    assert part in reply.json()["message"]


async def test_other_content_type_is_refused(client: Client) -> None:
    reply = await client.request("POST", "/wish", b"{}", "Content-Type: text/plain\r\n")

    expected = "unsupported Content-Type header (text/plain): must be 'application/json'"
    assert (400, expected) == (reply.status, reply.json()["message"])


async def test_missing_body_is_refused_unless_optional(client: Client) -> None:
    needed = await client.request("POST", "/wish")
    optional = await client.request("POST", "/maybe")

    assert 400 == needed.status
    assert (200, []) == (optional.status, optional.json()["Names"])


async def test_body_of_a_gigabyte_is_refused_before_it_is_read(client: Client) -> None:
    reader, writer = await client.open()

    writer.write(
        b"POST /wish HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 1073741824\r\n\r\n{"
    )

    assert (await reader.readline()).startswith(b"HTTP/1.1 413")
    writer.close()


async def test_chunked_body_beyond_the_limit_is_refused(client: Client) -> None:
    reader, writer = await client.open()
    writer.write(
        b"POST /wish HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )

    for _ in range(JSON_LIMIT_BYTES // (1 << 20) + 1):
        writer.write(b"100000\r\n" + b" " * (1 << 20) + b"\r\n")
        await writer.drain()

    assert (await reader.readline()).startswith(b"HTTP/1.1 413")
    writer.close()


async def test_head_beyond_the_limit_is_refused(client: Client) -> None:
    reply = await client.request("GET", "/version", headers=f"X: {'x' * 70_000}\r\n")

    assert 431 == reply.status


async def test_what_is_no_http_is_refused(client: Client) -> None:
    reader, writer = await client.open()

    writer.write(b"\x16\x03\x01 hello\r\n\r\n")

    assert (await reader.read()).startswith(b"HTTP/1.1 400")
    writer.close()


async def test_thousand_silent_connections_hinder_nobody(client: Client) -> None:
    silent = [await client.open() for _ in range(1000)]

    reply = await client.request("GET", "/version")

    assert 200 == reply.status
    for _, writer in silent:
        writer.close()
