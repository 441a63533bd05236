"""How a manager comes to its state: a new cluster's, a backup's, one to join, its own of before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from api.ids import new_object_id
from api.swarm_errors import SwarmLocked
from manager.adapters.backup_file import BackupFiles, BadBackup
from manager.adapters.external_issuer import CfsslIssuer
from manager.cluster.authority.sign import roots_pem, sign
from manager.cluster.networks.create import add_network, ingress_network
from manager.cluster.swarm.init import adopt, new_cluster, new_node
from manager.consensus.roster import Seat
from manager.core.objects.cluster import Cluster
from manager.core.store.codec import Reader
from manager.core.store.dump import load
from manager.core.store.errors import UnreadableState
from manager.core.store.query import View
from manager.core.store.transaction import Transaction
from manager.joining import fetch_unlock_key
from manager.options import InitOrders, Options
from manager.ports.clock import Clock
from manager.ports.issuer import Issuer
from manager.state import Dump, OpenLog, State
from protos.identity.certificates import Identity, Role, new_request
from protos.identity.channels import Credentials
from protos.identity.keys import key_to_pem, new_key

FirstChange = Callable[[Transaction], None]


@dataclass(frozen=True, slots=True)
class Beginning:
    """An opened state. first_change is made as soon as this manager leads, if there is one."""

    identity: Identity
    log: OpenLog
    first_change: FirstChange | None = None


async def begin(
    state: State, options: Options, orders: InitOrders, issuer: Issuer, clock: Clock
) -> Beginning:
    """Return the state that the options ask for, made or opened.

    Errors:  what is wrong with the orders, and nothing is left then; SwarmLocked while the keys
             are not open; LogDamaged; Conflict when the directory holds something else.
    """
    if options.init:
        return await _begin_cluster(state, options, orders, issuer)
    identity = await state.identity()
    seat = Seat(identity.node_id, options.advertise)
    if options.join:
        unlock_key = None
        if not state.keys.is_open:
            unlock_key = await fetch_unlock_key(await state.open_credentials(), options.join, clock)
        return Beginning(identity, await state.make_member(seat, unlock_key))
    if not state.keys.is_open:
        raise SwarmLocked
    opened = await state.open(seat, force_new_cluster_=options.force_new_cluster)
    return Beginning(identity, opened)


async def _begin_cluster(
    state: State, options: Options, orders: InitOrders, issuer: Issuer
) -> Beginning:
    node_id = new_object_id()
    if orders.Backup:
        cluster, dump = await asyncio.to_thread(_read_backup, orders)
    else:
        cluster, dump = new_cluster(new_object_id(), orders.Request, issuer), None
    identity = Identity(node_id, Role.MANAGER, cluster.id)
    credentials = await _first_credentials(cluster, identity, issuer)
    node = new_node(node_id, orders.Request.Availability, orders.Description, credentials.chain)

    def first_change(tx: Transaction) -> None:
        if dump is None:
            tx.clusters.create(cluster)
            add_network(tx, ingress_network())
        else:
            adopt(tx)
        tx.nodes.create(node)

    seat = Seat(node_id, options.advertise)
    opened = await state.make_cluster(seat, credentials, cluster.unlock_key or None, dump)
    return Beginning(identity, opened, first_change)


def _read_backup(orders: InitOrders) -> tuple[Cluster, Dump]:
    """Return a backup's cluster and its whole state. Errors: BadBackup."""
    pieces = tuple(BackupFiles().open(Path(orders.Backup), orders.BackupKey))
    try:
        view = View(load(pieces, Reader()))
    except UnreadableState as error:
        raise BadBackup(error.message) from error
    cluster = next(iter(view.clusters), None)
    if cluster is None:
        raise BadBackup("it holds no cluster")
    return cluster, Dump(pieces, view.version)


async def _first_credentials(cluster: Cluster, identity: Identity, issuer: Issuer) -> Credentials:
    """Return the first manager's key and certificate, signed here or by an external authority."""
    key = new_key()
    elsewhere = CfsslIssuer(lambda: None)
    config = cluster.spec.CAConfig
    chain = await sign(issuer, elsewhere, cluster.root, config, new_request(key), identity)
    return Credentials(roots=roots_pem(cluster.root), chain=chain, key=key_to_pem(key))
