from protos.skep.v1 import dispatcher_pb2 as _dispatcher_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OverlayRequest(_message.Message):
    __slots__ = ("session_id", "takes_targets")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TAKES_TARGETS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    takes_targets: bool
    def __init__(self, session_id: _Optional[str] = ..., takes_targets: _Optional[bool] = ...) -> None: ...

class OverlayMessage(_message.Message):
    __slots__ = ("complete", "networks", "sequence", "keys")
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    NETWORKS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    complete: bool
    networks: _containers.RepeatedCompositeFieldContainer[NetworkChange]
    sequence: int
    keys: NetworkKeys
    def __init__(self, complete: _Optional[bool] = ..., networks: _Optional[_Iterable[_Union[NetworkChange, _Mapping]]] = ..., sequence: _Optional[int] = ..., keys: _Optional[_Union[NetworkKeys, _Mapping]] = ...) -> None: ...

class NetworkKeys(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[NetworkKey]
    def __init__(self, keys: _Optional[_Iterable[_Union[NetworkKey, _Mapping]]] = ...) -> None: ...

class NetworkKey(_message.Message):
    __slots__ = ("secret", "lamport_time")
    SECRET_FIELD_NUMBER: _ClassVar[int]
    LAMPORT_TIME_FIELD_NUMBER: _ClassVar[int]
    secret: bytes
    lamport_time: int
    def __init__(self, secret: _Optional[bytes] = ..., lamport_time: _Optional[int] = ...) -> None: ...

class ConfirmRequest(_message.Message):
    __slots__ = ("session_id", "sequence")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    sequence: int
    def __init__(self, session_id: _Optional[str] = ..., sequence: _Optional[int] = ...) -> None: ...

class ConfirmResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SettledRequest(_message.Message):
    __slots__ = ("session_id", "limit_ms")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_MS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    limit_ms: int
    def __init__(self, session_id: _Optional[str] = ..., limit_ms: _Optional[int] = ...) -> None: ...

class SettledResponse(_message.Message):
    __slots__ = ("settled",)
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    settled: bool
    def __init__(self, settled: _Optional[bool] = ...) -> None: ...

class AttachRequest(_message.Message):
    __slots__ = ("session_id", "container_id", "names", "network", "addresses")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_ID_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    container_id: str
    names: _containers.RepeatedScalarFieldContainer[str]
    network: str
    addresses: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, session_id: _Optional[str] = ..., container_id: _Optional[str] = ..., names: _Optional[_Iterable[str]] = ..., network: _Optional[str] = ..., addresses: _Optional[_Iterable[str]] = ...) -> None: ...

class AttachResponse(_message.Message):
    __slots__ = ("network", "addresses")
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    network: _dispatcher_pb2.ApiValue
    addresses: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, network: _Optional[_Union[_dispatcher_pb2.ApiValue, _Mapping]] = ..., addresses: _Optional[_Iterable[str]] = ...) -> None: ...

class Attachment(_message.Message):
    __slots__ = ("container_id", "network_id")
    CONTAINER_ID_FIELD_NUMBER: _ClassVar[int]
    NETWORK_ID_FIELD_NUMBER: _ClassVar[int]
    container_id: str
    network_id: str
    def __init__(self, container_id: _Optional[str] = ..., network_id: _Optional[str] = ...) -> None: ...

class KeepRequest(_message.Message):
    __slots__ = ("session_id", "attachments")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ATTACHMENTS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    attachments: _containers.RepeatedCompositeFieldContainer[Attachment]
    def __init__(self, session_id: _Optional[str] = ..., attachments: _Optional[_Iterable[_Union[Attachment, _Mapping]]] = ...) -> None: ...

class KeepResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RenewKeysRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class RenewKeysResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class NetworkChange(_message.Message):
    __slots__ = ("network_id", "gone", "complete", "network", "members", "removed_members", "services", "removed_services", "targets")
    NETWORK_ID_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_MEMBERS_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    REMOVED_SERVICES_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    network_id: str
    gone: bool
    complete: bool
    network: _dispatcher_pb2.ApiValue
    members: _containers.RepeatedCompositeFieldContainer[Member]
    removed_members: _containers.RepeatedScalarFieldContainer[str]
    services: _containers.RepeatedCompositeFieldContainer[ServiceEndpoint]
    removed_services: _containers.RepeatedScalarFieldContainer[str]
    targets: _containers.RepeatedCompositeFieldContainer[TargetsChange]
    def __init__(self, network_id: _Optional[str] = ..., gone: _Optional[bool] = ..., complete: _Optional[bool] = ..., network: _Optional[_Union[_dispatcher_pb2.ApiValue, _Mapping]] = ..., members: _Optional[_Iterable[_Union[Member, _Mapping]]] = ..., removed_members: _Optional[_Iterable[str]] = ..., services: _Optional[_Iterable[_Union[ServiceEndpoint, _Mapping]]] = ..., removed_services: _Optional[_Iterable[str]] = ..., targets: _Optional[_Iterable[_Union[TargetsChange, _Mapping]]] = ...) -> None: ...

class TargetsChange(_message.Message):
    __slots__ = ("service_id", "targets", "removed")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    targets: _containers.RepeatedCompositeFieldContainer[Target]
    removed: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, service_id: _Optional[str] = ..., targets: _Optional[_Iterable[_Union[Target, _Mapping]]] = ..., removed: _Optional[_Iterable[str]] = ...) -> None: ...

class Member(_message.Message):
    __slots__ = ("id", "names", "addresses", "node_id", "node_address")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    id: str
    names: _containers.RepeatedScalarFieldContainer[str]
    addresses: _containers.RepeatedScalarFieldContainer[str]
    node_id: str
    node_address: str
    def __init__(self, id: _Optional[str] = ..., names: _Optional[_Iterable[str]] = ..., addresses: _Optional[_Iterable[str]] = ..., node_id: _Optional[str] = ..., node_address: _Optional[str] = ...) -> None: ...

class ServiceEndpoint(_message.Message):
    __slots__ = ("id", "names", "addresses", "targets", "ports", "local_only", "health_port")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    LOCAL_ONLY_FIELD_NUMBER: _ClassVar[int]
    HEALTH_PORT_FIELD_NUMBER: _ClassVar[int]
    id: str
    names: _containers.RepeatedScalarFieldContainer[str]
    addresses: _containers.RepeatedScalarFieldContainer[str]
    targets: _containers.RepeatedCompositeFieldContainer[Target]
    ports: _containers.RepeatedCompositeFieldContainer[Port]
    local_only: bool
    health_port: int
    def __init__(self, id: _Optional[str] = ..., names: _Optional[_Iterable[str]] = ..., addresses: _Optional[_Iterable[str]] = ..., targets: _Optional[_Iterable[_Union[Target, _Mapping]]] = ..., ports: _Optional[_Iterable[_Union[Port, _Mapping]]] = ..., local_only: _Optional[bool] = ..., health_port: _Optional[int] = ...) -> None: ...

class Target(_message.Message):
    __slots__ = ("member_id", "weight")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    weight: int
    def __init__(self, member_id: _Optional[str] = ..., weight: _Optional[int] = ...) -> None: ...

class Port(_message.Message):
    __slots__ = ("protocol", "published", "target")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    protocol: str
    published: int
    target: int
    def __init__(self, protocol: _Optional[str] = ..., published: _Optional[int] = ..., target: _Optional[int] = ...) -> None: ...
