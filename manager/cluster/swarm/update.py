"""Change the swarm: its spec, its tokens, its unlock key."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from api.cluster_errors import StaleVersion
from api.types.swarm import SwarmSpec
from manager.cluster.authority.change import changed, normalised, with_new_tokens, without_signer
from manager.cluster.env import ClusterEnv
from manager.cluster.swarm.state import the_cluster
from manager.core.objects.cluster import Cluster
from manager.core.swarm_spec import merged
from manager.core.validate.swarm import check_swarm_spec
from protos.identity.tokens import new_unlock_key


class Rotations(Struct, frozen=True, kw_only=True):
    """What of the cluster's secrets is to be made anew."""

    worker_token: bool = False
    manager_token: bool = False
    unlock_key: bool = False


async def update_swarm(
    env: ClusterEnv, version: int, spec: SwarmSpec, rotations: Rotations
) -> None:
    """Lay a spec over the swarm's, and make secrets anew; a root rotation begins where it asks.

    Errors:  InvalidArgument, StaleVersion; ExternalIssuerFailed.
    """
    cluster = the_cluster(env.store.view().clusters)
    if cluster.meta.version_index != version:
        raise StaleVersion
    wanted = merged(spec, cluster.spec)
    check_swarm_spec(wanted)
    config = normalised(env.issuer, wanted.CAConfig)
    root = await changed(env.issuer, env.external_issuer, cluster.root, config)
    updated = replace(
        cluster,
        spec=replace(wanted, CAConfig=without_signer(config)),
        root=with_new_tokens(
            env.issuer, root, worker=rotations.worker_token, manager=rotations.manager_token
        ),
        unlock_key=_unlock_key(cluster, wanted, rotations),
    )
    await env.store.update(lambda tx: tx.clusters.update(updated))


def _unlock_key(cluster: Cluster, wanted: SwarmSpec, rotations: Rotations) -> bytes:
    """Return the key that managers need: none while they do not lock."""
    if not wanted.EncryptionConfig.AutoLockManagers:
        return b""
    if cluster.unlock_key and not rotations.unlock_key:
        return cluster.unlock_key
    return new_unlock_key()
