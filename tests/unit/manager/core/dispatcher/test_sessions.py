"""The table of agents' sessions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from manager.core.dispatcher.sessions import Sessions


def _table() -> Sessions:
    return Sessions(period_s=5, lost_grace_s=2)


def test_who_could_not_be_heard_is_given_the_time() -> None:
    """A manager that was stopped, or had too much to do, must not take all nodes for dead."""
    sessions = Sessions(5.0, 2.0)
    sessions.register("a", "s1", 0.0)
    sessions.register("b", "s2", 0.0)
    sessions.lose("b", "s2", 1.0)

    sessions.grant(20.0)

    assert [] == sessions.expire(22.5)
    assert ["b"] == sessions.expire(23.0)
    assert ["a"] == sessions.expire(35.0)


def test_node_is_down_after_three_missed_heartbeats() -> None:
    """One that is merely slow is not: Docker gives three periods as well."""
    sessions = _table()
    sessions.register("n", "s", 0)
    sessions.beat("n", "s", 4)

    assert [] == sessions.expire(18.9)
    assert ["n"] == sessions.expire(19)
    assert not sessions.beat("n", "s", 19)


def test_node_whose_connection_broke_is_down_after_the_grace() -> None:
    sessions = _table()
    sessions.register("n", "s", 0)
    sessions.lose("n", "s", 1)

    assert 3 == sessions.next_expiry_s()
    assert ["n"] == sessions.expire(3)


def test_agent_that_restarts_within_the_grace_is_not_down() -> None:
    sessions = _table()
    sessions.register("n", "old", 0)
    sessions.lose("n", "old", 1)
    sessions.register("n", "new", 2)

    assert [] == sessions.expire(5)
    assert sessions.is_current("n", "new")


def test_heartbeat_says_that_the_node_lives_although_its_stream_broke() -> None:
    sessions = _table()
    sessions.register("n", "s", 0)
    sessions.lose("n", "s", 1)
    sessions.beat("n", "s", 2)

    assert [] == sessions.expire(10)


def test_broken_connection_of_an_older_session_means_nothing() -> None:
    """A new stream may stand before the old one is found broken."""
    sessions = _table()
    sessions.register("n", "old", 0)
    sessions.register("n", "new", 1)
    sessions.lose("n", "old", 2)

    assert [] == sessions.expire(10)


def test_agent_that_said_that_it_pauses_has_the_time_of_its_heartbeats() -> None:
    """A daemon that is restarted in order, however slowly, keeps its tasks; a dead one does not."""
    sessions = _table()
    sessions.register("n", "s", 0)

    assert sessions.pause("n", "s", 4)
    sessions.lose("n", "s", 4.1)

    assert [] == sessions.expire(18.9)
    assert ["n"] == sessions.expire(19)
    assert not sessions.pause("n", "s", 19)


def test_shorter_period_does_not_end_those_who_have_not_heard_of_it() -> None:
    """`docker swarm update --dispatcher-heartbeat 5s` must not replace the tasks of all nodes."""
    sessions = _table()
    sessions.change_period(60)
    sessions.register("n", "s", 0)
    sessions.change_period(5)

    assert [] == sessions.expire(60)
    assert sessions.beat("n", "s", 60)
    assert [] == sessions.expire(74.9)
    assert ["n"] == sessions.expire(75.1)


def test_pause_ends_with_the_session() -> None:
    sessions = _table()
    sessions.register("n", "old", 0)
    sessions.pause("n", "old", 1)
    sessions.register("n", "new", 2)
    sessions.lose("n", "new", 3)

    assert ["n"] == sessions.expire(5)


def test_nodes_are_not_to_blame_when_many_connections_break_at_once() -> None:
    """A manager without a processor or a network must not replace the tasks of a whole cluster."""
    sessions = _table()
    nodes = [f"n{number:02}" for number in range(16)]
    for node in nodes:
        sessions.register(node, "s", 0)
    for node in nodes[:5]:
        sessions.lose(node, "s", 1)

    assert [] == sessions.expire(5)
    for node in nodes[1:]:
        sessions.register(node, "t", 6)

    assert [] == sessions.expire(6.9)
    assert ["n00"] == sessions.expire(7)


def test_heartbeats_of_many_that_are_connected_were_not_heard_for_lack_of_time() -> None:
    """A manager under load gets round to calls late; connections are tended to without it."""
    sessions = _table()
    nodes = [f"n{number}" for number in range(8)]
    for node in nodes:
        sessions.register(node, "s", 0)

    for at_s in (11, 22, 33):
        assert [] == sessions.expire(at_s)
    for at_s in (34, 39, 44):
        for node in nodes[3:]:
            sessions.beat(node, "s", at_s)

    assert [] == sessions.expire(47.9)
    assert nodes[:3] == sessions.expire(48)


def test_many_that_are_silent_for_good_are_down_when_their_heartbeats_are_missed() -> None:
    sessions = _table()
    nodes = [f"n{number}" for number in range(6)]
    for node in nodes:
        sessions.register(node, "s", 0)
        sessions.lose(node, "s", 1)
    for at_s in range(2, 15):
        assert [] == sessions.expire(at_s)

    assert nodes == sorted(sessions.expire(15))


def test_a_few_of_a_large_cluster_are_not_many() -> None:
    sessions = _table()
    nodes = [f"n{number:02}" for number in range(40)]
    for node in nodes:
        sessions.register(node, "s", 0)
    for node in nodes[:10]:
        sessions.lose(node, "s", 1)

    assert nodes[:10] == sessions.expire(3)


def test_another_nodes_session_takes_no_heartbeat() -> None:
    sessions = _table()
    sessions.register("n", "s", 0)

    assert not sessions.beat("other", "s", 1)


def test_awaited_node_that_never_comes_is_down() -> None:
    """After a change of leaders every node must come to the new one."""
    sessions = _table()
    sessions.wait_for("gone", 0)
    sessions.wait_for("back", 0)
    sessions.register("back", "s", 14)

    assert ["gone"] == sessions.expire(15)


def test_awaited_node_whose_manager_is_silent_is_not_awaited_for_long() -> None:
    """The leader died with its node: both are gone, and its tasks must run elsewhere."""
    sessions = _table()
    for node in ("dead", "slow"):
        sessions.wait_for(node, 0)
    sessions.doubt({"dead", "slow"}, 1)
    sessions.doubt({"dead"}, 2)

    assert 3 == sessions.next_expiry_s()
    assert ["dead"] == sessions.expire(3)


def test_awaited_node_that_paused_is_not_doubted() -> None:
    """Its manager is silent because it ended with its daemon, in order."""
    sessions = _table()
    sessions.wait_for("n", 0, is_paused=True)
    sessions.doubt({"n"}, 1)

    assert [] == sessions.expire(14.9)
    assert ["n"] == sessions.expire(15.1)


def test_doubts_do_not_touch_a_node_that_came() -> None:
    sessions = _table()
    sessions.register("n", "s", 0)
    sessions.doubt({"n"}, 1)

    assert [] == sessions.expire(10)


def test_nothing_expires_in_an_empty_table() -> None:
    assert _table().next_expiry_s() is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["beat", "lose", "register"]), st.sampled_from("abc")),
        max_size=40,
    )
)
def test_what_expires_is_due_at_the_time_that_was_told(steps: list[tuple[str, str]]) -> None:
    """A loop that sleeps until then misses nobody."""
    sessions = _table()
    for now_s, (kind, node) in enumerate(steps):
        due_s = sessions.next_expiry_s()
        expired = sessions.expire(now_s)
        assert not expired or (due_s is not None and due_s <= now_s)
        match kind:
            case "register":
                sessions.register(node, "s", now_s)
            case "beat":
                sessions.beat(node, "s", now_s)
            case _:
                sessions.lose(node, "s", now_s)
