"""A state with an object of every kind, as dumps in tests/data/store keep it.

When the schema grows: `python -m tests.unit.manager.core.store.golden` adds the dump of the new
one; those of the older schemas stay as they are, and must go on being read.
"""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from api.types.cluster_networks import NetworkSpec
from api.types.configs import ConfigSpec
from api.types.nodes import NodeRole, NodeSpec
from api.types.objects import Annotations, Driver
from api.types.secrets import SecretSpec
from api.types.swarm import SwarmSpec
from api.types.tasks import TaskState, TaskStatus
from manager.core.objects.cluster import Cluster, RootCA, RootRotation
from manager.core.objects.config import Config
from manager.core.objects.network import Network
from manager.core.objects.node import IssuanceState, ManagerMember, NodeCertificate
from manager.core.objects.resource import Extension, Resource
from manager.core.objects.secret import Secret
from manager.core.objects.task import TaskNetwork
from manager.core.objects.volume import Volume
from manager.core.store.dump import dump
from manager.core.store.migrate import SCHEMA
from manager.core.store.state import State
from manager.core.store.transaction import Transaction
from tests.unit.manager.core.store.builders import after, node, service, task

FOLDER = Path(__file__).parents[5] / "tests" / "data" / "store"


def golden_state() -> State:
    """Return the state that every golden dump is of."""
    return after(_create, index=41)


def _create(tx: Transaction) -> None:
    rotation = RootRotation(certificate="new", key="new key", cross_signed="cross")
    root = RootCA(certificate="pem", key="key", digest="d", worker_token="w", rotation=rotation)
    tx.clusters.create(
        Cluster(id="c1", spec=SwarmSpec(Name="default"), root=root, removed_nodes={"n9": 5})
    )
    certificate = NodeCertificate(state=IssuanceState.ISSUED, certificate=b"chain")
    tx.nodes.create(
        replace(
            node("n1", "host"),
            spec=NodeSpec(Labels={"zone": "a"}, Role="manager"),
            role=NodeRole.MANAGER,
            manager=ManagerMember(raft_id=2**63 + 1, address="10.0.0.1:2377"),
            certificate=certificate,
        )
    )
    web = tx.services.create(service("s1", "web", ("secret1",)))
    tx.tasks.create(
        replace(
            task("t1", web, node_id="n1"),
            desired_state=TaskState.RUNNING,
            status=TaskStatus(State=TaskState.STARTING, Message="starting"),
            networks=[TaskNetwork(network_id="net1", addresses=["10.0.1.2/24"])],
        )
    )
    tx.networks.create(Network(id="net1", spec=NetworkSpec(Name="front", Attachable=True)))
    tx.secrets.create(Secret(id="secret1", spec=SecretSpec(Name="password", Data=b"\0\xff")))
    tx.configs.create(Config(id="config1", spec=ConfigSpec(Name="settings", Data=b"a: b")))
    tx.volumes.create(
        Volume(id="v1", annotations=Annotations(Name="data"), driver=Driver(Name="csi"))
    )
    tx.extensions.create(Extension(id="e1", annotations=Annotations(Name="things")))
    tx.resources.create(
        Resource(id="r1", annotations=Annotations(Name="one"), kind="things", payload=b"\x01")
    )


def main() -> None:
    """Write the dump of the present schema, unless there is one."""
    FOLDER.mkdir(exist_ok=True)
    data = b"".join(dump(golden_state()))
    with (FOLDER / f"schema-{SCHEMA}.dump").open("xb") as file:
        file.write(data)


if __name__ == "__main__":
    main()
