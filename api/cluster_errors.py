"""Errors about a cluster's objects, in Docker's words.

What Docker's managers say reaches its clients with gRPC's prefix, and clients match on the whole;
`rpc_text` adds it. A spec that is wrong in itself is `InvalidSpec`.
Source of the statuses: Engine API 1.56; a precondition that fails answers 400.
"""

from __future__ import annotations

from collections.abc import Sequence

from api.errors import Conflict, InvalidArgument, NotFound, SkepError, Unsupported


def rpc_text(code: str, text: str) -> str:
    """Return a message as gRPC clients print it."""
    return f"rpc error: code = {code} desc = {text}"


class InvalidSpec(InvalidArgument):
    """A spec that the managers refuse: 400."""

    def __init__(self, text: str) -> None:
        super().__init__(rpc_text("InvalidArgument", text))


class FailedPrecondition(SkepError):
    """The cluster's state forbids it, whoever asks: 400."""

    http = 400
    grpc = "FAILED_PRECONDITION"

    def __init__(self, text: str) -> None:
        super().__init__(rpc_text("FailedPrecondition", text))


class Unimplemented(Unsupported):
    """A change that services do not allow: 501."""

    def __init__(self, text: str) -> None:
        super().__init__(rpc_text("Unimplemented", text))


class NoSuchService(NotFound):
    """No service has this id, name or unique id prefix."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"service {ref} not found")


class NoSuchTask(NotFound):
    """No task has this id, name or unique id prefix."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"task {ref} not found")


class NoSuchNode(NotFound):
    """No node has this id, host name or unique id prefix."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"node {ref} not found")


class NoSuchSecret(NotFound):
    """No secret has this id, name or unique id prefix."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"secret {ref} not found")


class NoSuchConfig(NotFound):
    """No config has this id, name or unique id prefix."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"config {ref} not found")


class AmbiguousRef(InvalidArgument):
    """A name or id prefix fits more than one object; `noun` is service, task, node, ..."""

    def __init__(self, noun: str, ref: str, matches: int) -> None:
        super().__init__(f"{noun} {ref} is ambiguous ({matches} matches found)")


class StaleVersion(Conflict):
    """The object changed after the version that the update is based on. Docker answers 500."""

    http = 500

    def __init__(self) -> None:
        super().__init__(rpc_text("Unknown", "update out of sequence"))


class NameConflict(Conflict):
    """Another object of the kind has the name; `detail` says which, in Docker's words."""

    grpc = "ALREADY_EXISTS"

    def __init__(self, detail: str = "name conflicts with an existing object") -> None:
        super().__init__(rpc_text("AlreadyExists", detail))


class ServiceExists(NameConflict):
    """A service has the name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"name conflicts with an existing object: service {name} already exists")


class SecretExists(NameConflict):
    """A secret has the name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"secret {name} already exists")


class ConfigExists(NameConflict):
    """A config has the name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"config {name} already exists")


class UsedByServices(InvalidSpec):
    """A secret or a config (`noun`) that services use cannot be removed."""

    def __init__(self, noun: str, name: str, services: Sequence[str]) -> None:
        following = "service" if len(services) == 1 else "services"
        super().__init__(
            f"{noun} '{name}' is in use by the following {following}: {', '.join(services)}"
        )


class OnlyLabelsChange(InvalidSpec):
    """Secrets and configs are what they were made."""

    def __init__(self) -> None:
        super().__init__("only updates to Labels are allowed")


class ReferencesMissing(InvalidSpec):
    """A service names secrets or configs (`noun`) that are not there."""

    def __init__(self, noun: str, names: Sequence[str]) -> None:
        found = noun if len(names) == 1 else f"{noun}s"
        super().__init__(f"{found} not found: {', '.join(names)}")


# Services and networks


class ModeChange(Unimplemented):
    """A service keeps its mode."""

    def __init__(self) -> None:
        super().__init__("service mode change is not allowed")


class ServiceRename(Unimplemented):
    """A service keeps its name."""

    def __init__(self) -> None:
        super().__init__("renaming services is not supported")


class OldNetworksChange(Unimplemented):
    """The old field of a service's networks may only be emptied."""

    def __init__(self) -> None:
        super().__init__("networks must be migrated to TaskSpec before being changed")


class NoPreviousSpec(FailedPrecondition):
    """A service that was never updated has nothing to roll back to."""

    def __init__(self, service_id: str) -> None:
        super().__init__(f"service {service_id} does not have a previous spec")


class PublishedPortTaken(InvalidSpec):
    """Another service publishes the port; `how` is "an ingress" or "a host-published"."""

    def __init__(self, port: int, name: str, service_id: str, how: str) -> None:
        super().__init__(
            f"port '{port}' is already in use by service '{name}' ({service_id}) as {how} port"
        )


class IngressAttachment(InvalidSpec):
    """Services are on the ingress network by publishing ports, not by name."""

    def __init__(self, name: str) -> None:
        super().__init__(f'Service cannot be explicitly attached to the ingress network "{name}"')


class IngressMissing(FailedPrecondition):
    """A service publishes ports, and the ingress network was removed."""

    def __init__(self) -> None:
        super().__init__("service needs ingress network, but no ingress network is present")


class NetworkUsed(FailedPrecondition):
    """A network that services or tasks (`noun`) are on cannot be removed."""

    def __init__(self, network_id: str, noun: str, user_id: str) -> None:
        super().__init__(f"network {network_id} is in use by {noun} {user_id}")


class IngressUsed(FailedPrecondition):
    """The ingress network cannot go while a service publishes ports on it."""

    def __init__(self, service_id: str) -> None:
        super().__init__(
            f"ingress network cannot be removed because service {service_id} depends on it"
        )


# Nodes


class NodeNotDown(FailedPrecondition):
    """A node that is up leaves by itself, or is removed by force."""

    def __init__(self, node_id: str) -> None:
        super().__init__(f"node {node_id} is not down and can't be removed")


class ManagerNotDemoted(FailedPrecondition):
    """A manager is made a worker first."""

    def __init__(self, node_id: str) -> None:
        super().__init__(
            f"node {node_id} is a cluster manager and is a member of the raft cluster. It must be "
            "demoted to worker before removal"
        )


class LastManager(FailedPrecondition):
    """A swarm keeps one manager."""

    def __init__(self) -> None:
        super().__init__("attempting to demote the last manager of the swarm")


class QuorumLoss(FailedPrecondition):
    """Those who stay would be too few to decide."""

    def __init__(self) -> None:
        super().__init__("can't remove member from the raft: this would result in a loss of quorum")


class NotRaftMember(NotFound):
    """The node is to be demoted before it became a manager."""

    def __init__(self) -> None:
        super().__init__(rpc_text("NotFound", "can't find manager in raft memberlist"))
