"""The swarm as the API shows it."""

from __future__ import annotations

from functools import lru_cache

from msgspec.structs import asdict, replace

from api.types.nodes import TLSInfo
from api.types.objects import ObjectVersion
from api.types.swarm import ClusterInfo, JoinTokens, Swarm, SwarmSpec
from manager.core.objects.cluster import Cluster
from manager.core.objects.times import to_api_time
from protos.identity.tls_info import tls_info


def to_info(cluster: Cluster) -> ClusterInfo:
    """Return the swarm without its tokens. Keys are never shown."""
    return ClusterInfo(
        ID=cluster.id,
        Version=ObjectVersion(Index=cluster.meta.version_index),
        CreatedAt=to_api_time(cluster.meta.created_ns),
        UpdatedAt=to_api_time(cluster.meta.updated_ns),
        Spec=_shown(cluster.spec),
        TLSInfo=_tls_info(cluster.root.certificate),
        RootRotationInProgress=cluster.root.rotation is not None,
        DefaultAddrPool=cluster.address_pools,
        SubnetSize=cluster.subnet_size,
        DataPathPort=cluster.data_path_port,
    )


def to_swarm(cluster: Cluster) -> Swarm:
    """Return the swarm with its tokens."""
    tokens = JoinTokens(Worker=cluster.root.worker_token, Manager=cluster.root.manager_token)
    return Swarm(**asdict(to_info(cluster)), JoinTokens=tokens)


def _shown(spec: SwarmSpec) -> SwarmSpec:
    return replace(spec, CAConfig=replace(spec.CAConfig, SigningCAKey=""))


@lru_cache(maxsize=4)
def _tls_info(root: str) -> TLSInfo:
    return tls_info(root.encode()) if root else TLSInfo()
