"""News that come faster than they can be taken over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.core.overlay_news import (
    Member,
    NetworkNews,
    OverlayNews,
    ServiceEndpoint,
    TargetsChange,
    together,
)
from api.types.cluster_networks import ClusterNetwork


def member(name: str, address: str = "10.0.1.2") -> Member:
    """Return an endpoint."""
    return Member(id=name, addresses=(address,), node_id="n", node_address="10.9.0.1")


def service(*targets: str) -> ServiceEndpoint:
    """Return a service."""
    return ServiceEndpoint(id="s", names=("s",), targets=tuple((each, 1) for each in targets))


def test_the_later_word_counts() -> None:
    """Of each member and each service."""
    first = NetworkNews(
        network_id="a",
        members=(member("x"), member("y")),
        removed_members=("z",),
        services=(service("x"),),
    )
    then = NetworkNews(
        network_id="a",
        members=(member("z"), member("y", "10.0.1.3")),
        removed_members=("x",),
        services=(service("y"),),
    )

    told = together(
        OverlayNews(networks=(first,), sequence=1), OverlayNews(networks=(then,), sequence=2)
    )

    (news,) = told.networks
    assert {each.id: each.addresses[0] for each in news.members} == {
        "y": "10.0.1.3",
        "z": "10.0.1.2",
    }
    assert news.removed_members == ("x",)
    assert news.services == (service("y"),)
    assert told.sequence == 2


def test_what_follows_the_whole_of_a_network_belongs_to_it() -> None:
    """A whole one may come in pieces."""
    whole = NetworkNews(network_id="a", network=ClusterNetwork(ID="a"), members=(member("x"),))
    first = OverlayNews(is_complete=True, networks=(whole,), sequence=1)
    more = NetworkNews(network_id="a", members=(member("y"),), removed_services=("s",))

    told = together(first, OverlayNews(networks=(more,), sequence=2))

    (news,) = told.networks
    assert told.is_complete
    assert news.network is not None
    assert [each.id for each in news.members] == ["x", "y"]


def test_a_network_that_is_gone_is_told_anew_when_it_is_back() -> None:
    """Nothing of before counts then."""
    first = OverlayNews(networks=(NetworkNews(network_id="a", members=(member("x"),)),))
    gone = OverlayNews(networks=(NetworkNews(network_id="a", is_gone=True),))
    back = NetworkNews(network_id="a", network=ClusterNetwork(ID="a"), members=(member("y"),))

    assert together(first, gone).networks == gone.networks
    assert together(together(first, gone), OverlayNews(networks=(back,))).networks == (back,)


def test_everything_anew_replaces_all() -> None:
    """Networks that it does not name are gone."""
    first = OverlayNews(networks=(NetworkNews(network_id="a", members=(member("x"),)),))
    anew = OverlayNews(is_complete=True, sequence=9)

    assert together(first, anew) == anew


NAMES = st.sets(st.sampled_from("abcd"), max_size=3)
STEPS = st.lists(
    st.one_of(
        NAMES.map(lambda names: NetworkNews(network_id="a", services=(service(*sorted(names)),))),
        st.builds(
            lambda fresh, gone: NetworkNews(
                network_id="a",
                targets=(
                    TargetsChange(
                        service_id="s",
                        targets=tuple((each, 1) for each in sorted(fresh)),
                        removed=tuple(sorted(gone - fresh)),
                    ),
                ),
            ),
            NAMES,
            NAMES,
        ),
    ),
    min_size=1,
    max_size=5,
)


@given(STEPS)
def test_targets_are_the_same_whether_news_come_one_by_one_or_together(
    steps: list[NetworkNews],
) -> None:
    """Whole services and changes of targets, in any order."""
    before = {"a", "d"}
    one_by_one = set(before)
    for step in steps:
        one_by_one = after(one_by_one, step)

    told = OverlayNews(networks=(steps[0],))
    for step in steps[1:]:
        told = together(told, OverlayNews(networks=(step,)))

    assert one_by_one == after(before, told.networks[0])


def after(targets: set[str], news: NetworkNews) -> set[str]:
    """Return the targets that a service has after news."""
    for whole in news.services:
        targets = {each for each, _ in whole.targets}
    for change in news.targets:
        targets = (targets | {each for each, _ in change.targets}) - set(change.removed)
    return targets
