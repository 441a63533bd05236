"""Who is a member, and how one membership follows from another. Pure values.

A joint configuration has two sets of voters, `voters` (incoming) and `outgoing`, and needs the
majority of both. Single changes move at most one voter, so that majorities before and after
overlap by themselves (raft §6, and the author's thesis §4).
"""

from __future__ import annotations

import msgspec

from manager.core.raft.errors import ChangeRefused
from manager.core.raft.messages import (
    NONE,
    ChangeKind,
    ConfChange,
    ConfChangeSingle,
    ConfState,
)

_NOBODY: frozenset[int] = frozenset()


class Members(msgspec.Struct, frozen=True):
    """One membership; `learners_next` are outgoing voters that become learners at its end."""

    voters: frozenset[int] = _NOBODY
    outgoing: frozenset[int] = _NOBODY
    learners: frozenset[int] = _NOBODY
    learners_next: frozenset[int] = _NOBODY
    auto_leave: bool = False

    def is_joint(self) -> bool:
        """Tell whether two majorities are needed."""
        return bool(self.outgoing)

    def all_voters(self) -> frozenset[int]:
        """Return who has a vote in either set."""
        return self.voters | self.outgoing

    def everyone(self) -> frozenset[int]:
        """Return who takes part in any way."""
        return self.voters | self.outgoing | self.learners

    def conf_state(self) -> ConfState:
        """Return the membership as data."""
        return ConfState(
            voters=tuple(sorted(self.voters)),
            voters_outgoing=tuple(sorted(self.outgoing)),
            learners=tuple(sorted(self.learners)),
            learners_next=tuple(sorted(self.learners_next)),
            auto_leave=self.auto_leave,
        )


def everyone(conf: ConfState) -> tuple[int, ...]:
    """Return who takes part in any way in a membership given as data."""
    return conf.voters + conf.voters_outgoing + conf.learners


def from_conf_state(conf: ConfState) -> Members:
    """Return a membership from data. Errors: ChangeRefused when it makes no sense."""
    return _checked(
        Members(
            voters=frozenset(conf.voters),
            outgoing=frozenset(conf.voters_outgoing),
            learners=frozenset(conf.learners),
            learners_next=frozenset(conf.learners_next),
            auto_leave=conf.auto_leave,
        )
    )


def change(members: Members, wanted: ConfChange) -> Members:
    """Return the membership that a change leads to. Errors: ChangeRefused."""
    if wanted.is_leave():
        return leave_joint(members)
    if wanted.is_joint():
        return enter_joint(members, wanted.changes, auto_leave=wanted.leaves_by_itself())
    return simple(members, wanted.changes)


def simple(members: Members, steps: tuple[ConfChangeSingle, ...]) -> Members:
    """Return the membership after steps that move at most one voter. Errors: ChangeRefused."""
    if members.is_joint():
        raise ChangeRefused("can't apply simple config change in joint config")
    changed = _checked(_apply(members, steps))
    if len(members.voters ^ changed.voters) > 1:
        raise ChangeRefused("more than one voter changed without entering joint config")
    return changed


def enter_joint(
    members: Members, steps: tuple[ConfChangeSingle, ...], *, auto_leave: bool
) -> Members:
    """Return the joint membership from here to what the steps lead to. Errors: ChangeRefused."""
    if members.is_joint():
        raise ChangeRefused("config is already joint")
    if not members.voters:
        raise ChangeRefused("can't make a zero-voter config joint")
    joint = msgspec.structs.replace(members, outgoing=members.voters)
    return _checked(msgspec.structs.replace(_apply(joint, steps), auto_leave=auto_leave))


def leave_joint(members: Members) -> Members:
    """Return the membership that a joint one ends in. Errors: ChangeRefused."""
    if not members.is_joint():
        raise ChangeRefused("can't leave a non-joint config")
    return _checked(
        Members(voters=members.voters, learners=members.learners | members.learners_next)
    )


def _apply(members: Members, steps: tuple[ConfChangeSingle, ...]) -> Members:
    for step in steps:
        if step.id == NONE:
            continue
        match step.kind:
            case ChangeKind.ADD_VOTER:
                members = msgspec.structs.replace(
                    _without(members, step.id), voters=members.voters | {step.id}
                )
            case ChangeKind.ADD_LEARNER:
                members = _with_learner(members, step.id)
            case ChangeKind.REMOVE:
                members = _without(members, step.id)
            case ChangeKind.UPDATE:
                pass
    if not members.voters:
        raise ChangeRefused("removed all voters")
    return members


def _with_learner(members: Members, id_: int) -> Members:
    if id_ in members.learners:
        return members
    rest = _without(members, id_)
    if id_ in members.outgoing:
        # It still votes in the outgoing set, so it becomes a learner when that ends.
        return msgspec.structs.replace(rest, learners_next=rest.learners_next | {id_})
    return msgspec.structs.replace(rest, learners=rest.learners | {id_})


def _without(members: Members, id_: int) -> Members:
    """Return the membership without a member, but for its vote in the outgoing set."""
    return msgspec.structs.replace(
        members,
        voters=members.voters - {id_},
        learners=members.learners - {id_},
        learners_next=members.learners_next - {id_},
    )


def _checked(members: Members) -> Members:
    if members.learners & members.all_voters():
        raise ChangeRefused("a member is learner and voter at once")
    if not members.learners_next <= members.outgoing:
        raise ChangeRefused("a member is to become a learner and was no voter")
    if not members.is_joint() and members.auto_leave:
        raise ChangeRefused("only a joint config is left")
    return members
