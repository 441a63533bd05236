"""The cluster's spec: Docker's defaults, and how an update is laid over what is there."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec.structs import replace

from api.types.swarm import (
    CAConfig,
    DispatcherConfig,
    OrchestrationConfig,
    RaftConfig,
    SwarmSpec,
)

CLUSTER_NAME = "default"
DEFAULT_HEARTBEAT_NS = 5_000_000_000
DEFAULT_CERTIFICATE_LIFE_NS = 90 * 24 * 3600 * 1_000_000_000

DEFAULTS = SwarmSpec(
    Name=CLUSTER_NAME,
    Orchestration=OrchestrationConfig(TaskHistoryRetentionLimit=5),
    Raft=RaftConfig(
        SnapshotInterval=10_000,
        KeepOldSnapshots=0,
        LogEntriesForSlowFollowers=500,
        ElectionTick=10,
        HeartbeatTick=1,
    ),
    Dispatcher=DispatcherConfig(HeartbeatPeriod=DEFAULT_HEARTBEAT_NS),
    CAConfig=CAConfig(NodeCertExpiry=DEFAULT_CERTIFICATE_LIFE_NS),
)

_T = TypeVar("_T", bound=msgspec.Struct)


def merged(wanted: SwarmSpec, current: SwarmSpec) -> SwarmSpec:
    """Return the spec with what an update sets; what it leaves out stays as it is.

    Zero, "" and no labels are left out; so labels cannot be taken away, as with Docker. What is
    always taken over: ForceRotate, the list of external authorities, the signing certificate and
    key (they stand for a rotation that was asked for), and whether managers lock.
    """
    authority = _over(wanted.CAConfig, current.CAConfig)
    return SwarmSpec(
        Name=wanted.Name or current.Name,
        Labels=wanted.Labels or current.Labels,
        Orchestration=_over(wanted.Orchestration, current.Orchestration),
        Raft=_over(wanted.Raft, current.Raft),
        Dispatcher=_over(wanted.Dispatcher, current.Dispatcher),
        CAConfig=replace(
            authority,
            ExternalCAs=wanted.CAConfig.ExternalCAs,
            SigningCACert=wanted.CAConfig.SigningCACert,
            SigningCAKey=wanted.CAConfig.SigningCAKey,
            ForceRotate=wanted.CAConfig.ForceRotate,
        ),
        TaskDefaults=wanted.TaskDefaults,
        EncryptionConfig=wanted.EncryptionConfig,
    )


def _over(wanted: _T, current: _T) -> _T:
    """Return `current` with those fields of `wanted` that are set: neither 0, "", [] nor None.

    A number that may be nil and is 0 is set: such fields have None as their default.
    """
    changes = {
        field.name: value
        for field in msgspec.structs.fields(type(wanted))
        if (value := getattr(wanted, field.name)) != _unset(field)
    }
    return replace(current, **changes)


def _unset(field: msgspec.structs.FieldInfo) -> object:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default
