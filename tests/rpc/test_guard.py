"""The door of the managers' port, over real TLS: who gets in, and what they may call.

The proof that one port serves nodes and joining ones with client certificates demanded of all,
and that roots, tokens and the server's certificate change without a restart.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from api.cluster_errors import NoSuchNode
from api.errors import Forbidden, Unauthenticated, Unavailable, Unsupported
from protos.identity.certificates import Identity, Role, to_der, to_pem
from protos.identity.channels import Credentials, open_channel
from protos.identity.join import join_authority, join_credentials
from protos.identity.tokens import new_join_token
from protos.identity.trust import Trust
from tests.authority import DAY, Authority, name
from tests.rpc.door import CLUSTER, MANAGER, WORKER, Door, ask, ask_stream, opened


@pytest_asyncio.fixture
async def door() -> AsyncIterator[Door]:
    """Lend a guarded server."""
    async with opened() as lent:
        yield lent


def shown(door: Door, identity: Identity, valid_for: timedelta = DAY) -> Credentials:
    """Return what a node of the cluster shows."""
    return door.root.issue(identity, valid_for).credentials(door.root.certificate)


@pytest.mark.parametrize("identity", [MANAGER, WORKER])
async def test_node_is_known_by_its_certificate(door: Door, identity: Identity) -> None:
    assert identity.role == await door.call(shown(door, identity))


async def test_holder_of_a_token_may_join_and_no_more(door: Door) -> None:
    joining = join_credentials(door.token, to_pem(door.root.certificate))

    assert Role.JOIN == await door.call(joining)
    for method in ("/t/Nodes", "/t/Managers"):
        with pytest.raises(Forbidden):
            await door.call(joining, method)


async def test_holder_of_a_token_cannot_write_himself_a_role(door: Door) -> None:
    """The token's authority signs whatever its holder likes; the subject must not count."""
    holder = Authority("holder")
    door.change(Trust((door.root.certificate,), (holder.certificate,)))
    forged = holder.issue(MANAGER).credentials(door.root.certificate)

    assert Role.JOIN == await door.call(forged)
    with pytest.raises(Forbidden):
        await door.call(forged, "/t/Managers")


@pytest.mark.parametrize("method", ["/t/Managers", "/t/Unlisted"])
async def test_worker_is_refused_where_its_role_has_no_right(door: Door, method: str) -> None:
    with pytest.raises(Forbidden, match=f"swarm-worker may not call {method}"):
        await door.call(shown(door, WORKER), method)


async def test_method_without_a_row_is_closed_to_managers_too(door: Door) -> None:
    with pytest.raises(Forbidden):
        await door.call(shown(door, MANAGER), "/t/Unlisted")


async def test_absent_method_is_unsupported(door: Door) -> None:
    with pytest.raises(Unsupported):
        await door.call(shown(door, MANAGER), "/t/Absent")


async def test_certificate_of_another_root_ends_in_the_handshake(door: Door) -> None:
    foreign = Authority("root").issue(MANAGER).credentials(door.root.certificate)

    with pytest.raises(Unavailable):
        await door.call(foreign)


async def test_certificate_of_another_cluster_by_the_same_root_is_refused(door: Door) -> None:
    other = Identity("manager1", Role.MANAGER, "cluster2")

    with pytest.raises(Unauthenticated, match="another cluster"):
        await door.call(shown(door, other))


async def test_certificate_that_names_no_node_is_refused(door: Door) -> None:
    issued = door.root.issue_to(name(CN="node1"))

    with pytest.raises(Unauthenticated):
        await door.call(issued.credentials(door.root.certificate))


async def test_expired_certificate_ends_in_the_handshake(door: Door) -> None:
    with pytest.raises(Unavailable):
        await door.call(shown(door, MANAGER, -DAY))


async def test_connection_does_not_outlive_its_certificate(door: Door) -> None:
    async with open_channel(door.address, shown(door, WORKER)) as channel:
        assert Role.WORKER == await ask(channel)

        door.now = datetime.now(UTC) + 2 * DAY

        with pytest.raises(Unauthenticated, match="expired"):
            await ask(channel)


async def test_clock_that_jumps_and_comes_back_lets_nodes_in_again(door: Door) -> None:
    async with open_channel(door.address, shown(door, WORKER)) as channel:
        door.now = datetime.now(UTC) + 365 * DAY
        with pytest.raises(Unauthenticated):
            await ask(channel)

        door.now = None

        assert Role.WORKER == await ask(channel)


async def test_rotated_token_is_refused_and_the_new_one_works(door: Door) -> None:
    root = door.root.certificate
    old, new = door.token, new_join_token(to_der(root))
    assert Role.JOIN == await door.call(join_credentials(old, to_pem(root)))

    door.change(Trust((root,), (join_authority(new),)))

    assert Role.JOIN == await door.call(join_credentials(new, to_pem(root)))
    with pytest.raises(Unavailable):
        await door.call(join_credentials(old, to_pem(root)))


async def test_rotated_token_is_refused_on_an_open_connection(door: Door) -> None:
    root = door.root.certificate
    async with open_channel(door.address, join_credentials(door.token, to_pem(root))) as channel:
        assert Role.JOIN == await ask(channel)

        door.change(Trust((root,), ()))

        with pytest.raises(Unauthenticated):
            await ask(channel)


async def test_removed_node_is_refused_at_once(door: Door) -> None:
    async with open_channel(door.address, shown(door, WORKER)) as channel:
        assert Role.WORKER == await ask(channel)

        door.members.removed.add(WORKER.node_id)

        with pytest.raises(Forbidden, match="was removed"):
            await ask(channel)


async def test_demoted_manager_has_a_workers_rights(door: Door) -> None:
    """Its certificate says manager until it has fetched the next one."""
    door.members.workers.add(MANAGER.node_id)

    assert Role.WORKER == await door.call(shown(door, MANAGER))
    with pytest.raises(Forbidden):
        await door.call(shown(door, MANAGER), "/t/Managers")


async def test_server_changes_its_root_and_certificate_while_it_serves(door: Door) -> None:
    old, new = door.root, Authority("next")
    both = Trust((old.certificate, new.certificate))
    async with open_channel(door.address, shown(door, WORKER)) as channel:
        assert Role.WORKER == await ask(channel)

        door.change(both, new.issue(MANAGER).credentials(*both.roots))

        renewed = new.issue(WORKER).credentials(new.certificate)
        assert Role.WORKER == await door.call(renewed)
        assert Role.WORKER == await ask(channel)  # the open connection goes on

        door.change(Trust((new.certificate,)))

        with pytest.raises(Unauthenticated):
            await ask(channel)
        with pytest.raises(Unavailable):
            await door.call(old.issue(WORKER).credentials(*both.roots))


async def test_client_talks_to_nobody_but_a_manager(door: Door) -> None:
    """A worker's certificate is no manager's, even by the right root."""
    door.change(door.trust, shown(door, WORKER))

    with pytest.raises(Unavailable):
        await door.call(shown(door, WORKER))


async def test_client_refuses_a_manager_of_another_root(door: Door) -> None:
    mine = door.root.issue(WORKER).credentials(Authority("root").certificate)

    with pytest.raises(Unavailable):
        await door.call(mine)


async def test_stream_knows_its_caller_and_its_role_is_checked(door: Door) -> None:
    async with open_channel(door.address, shown(door, MANAGER)) as channel:
        assert ["manager1"] * 3 == await ask_stream(channel)

    async with open_channel(door.address, shown(door, WORKER)) as channel:
        with pytest.raises(Forbidden):
            await ask_stream(channel)


async def test_error_is_raised_again_at_the_caller(door: Door) -> None:
    with pytest.raises(NoSuchNode) as raised:
        await door.call(shown(door, MANAGER), "/t/Raise")

    assert NoSuchNode("n1").message == raised.value.message


def test_cluster_of_the_tests_is_the_one_of_the_nodes() -> None:
    assert CLUSTER == MANAGER.cluster_id == WORKER.cluster_id
