"""The cluster's spec at an init, and under updates."""

from __future__ import annotations

import msgspec

from api.types.swarm import CAConfig, EncryptionConfig, OrchestrationConfig, RaftConfig, SwarmSpec
from manager.core.swarm_spec import DEFAULTS, merged


def test_empty_spec_gives_dockers_defaults() -> None:
    """What `docker swarm init` shows with a current Docker."""
    shown = msgspec.to_builtins(merged(SwarmSpec(), DEFAULTS))

    assert "default" == shown["Name"]
    assert {"TaskHistoryRetentionLimit": 5} == shown["Orchestration"]
    assert {
        "SnapshotInterval": 10000,
        "KeepOldSnapshots": 0,
        "LogEntriesForSlowFollowers": 500,
        "ElectionTick": 10,
        "HeartbeatTick": 1,
    } == shown["Raft"]
    assert {"HeartbeatPeriod": 5000000000} == shown["Dispatcher"]
    assert {"NodeCertExpiry": 7776000000000000} == shown["CAConfig"]


def test_what_an_update_leaves_out_stays() -> None:
    before = merged(SwarmSpec(Labels={"a": "b"}, Raft=RaftConfig(SnapshotInterval=7)), DEFAULTS)

    after = merged(SwarmSpec(Raft=RaftConfig(ElectionTick=20)), before)

    assert ({"a": "b"}, 7, 20) == (
        after.Labels,
        after.Raft.SnapshotInterval,
        after.Raft.ElectionTick,
    )


def test_history_of_zero_tasks_is_set() -> None:
    wanted = SwarmSpec(Orchestration=OrchestrationConfig(TaskHistoryRetentionLimit=0))

    assert 0 == merged(wanted, DEFAULTS).Orchestration.TaskHistoryRetentionLimit


def test_signing_certificate_is_not_kept_by_the_next_update() -> None:
    """It asks for a rotation once; the authority itself is in the cluster's state."""
    before = merged(SwarmSpec(CAConfig=CAConfig(SigningCACert="x", SigningCAKey="y")), DEFAULTS)

    assert "" == merged(SwarmSpec(), before).CAConfig.SigningCACert


def test_locking_is_switched_off_by_an_update_without_it() -> None:
    before = merged(SwarmSpec(EncryptionConfig=EncryptionConfig(AutoLockManagers=True)), DEFAULTS)

    assert not merged(SwarmSpec(), before).EncryptionConfig.AutoLockManagers
