from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NodeRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NODE_ROLE_UNSPECIFIED: _ClassVar[NodeRole]
    NODE_ROLE_WORKER: _ClassVar[NodeRole]
    NODE_ROLE_MANAGER: _ClassVar[NodeRole]

class NodeAvailability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NODE_AVAILABILITY_UNSPECIFIED: _ClassVar[NodeAvailability]
    NODE_AVAILABILITY_ACTIVE: _ClassVar[NodeAvailability]
    NODE_AVAILABILITY_PAUSE: _ClassVar[NodeAvailability]
    NODE_AVAILABILITY_DRAIN: _ClassVar[NodeAvailability]

class AssignmentKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ASSIGNMENT_KIND_UNSPECIFIED: _ClassVar[AssignmentKind]
    ASSIGNMENT_KIND_TASK: _ClassVar[AssignmentKind]
    ASSIGNMENT_KIND_SECRET: _ClassVar[AssignmentKind]
    ASSIGNMENT_KIND_CONFIG: _ClassVar[AssignmentKind]
    ASSIGNMENT_KIND_NETWORK: _ClassVar[AssignmentKind]
    ASSIGNMENT_KIND_VOLUME: _ClassVar[AssignmentKind]
NODE_ROLE_UNSPECIFIED: NodeRole
NODE_ROLE_WORKER: NodeRole
NODE_ROLE_MANAGER: NodeRole
NODE_AVAILABILITY_UNSPECIFIED: NodeAvailability
NODE_AVAILABILITY_ACTIVE: NodeAvailability
NODE_AVAILABILITY_PAUSE: NodeAvailability
NODE_AVAILABILITY_DRAIN: NodeAvailability
ASSIGNMENT_KIND_UNSPECIFIED: AssignmentKind
ASSIGNMENT_KIND_TASK: AssignmentKind
ASSIGNMENT_KIND_SECRET: AssignmentKind
ASSIGNMENT_KIND_CONFIG: AssignmentKind
ASSIGNMENT_KIND_NETWORK: AssignmentKind
ASSIGNMENT_KIND_VOLUME: AssignmentKind

class ApiValue(_message.Message):
    __slots__ = ("version", "msgpack")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MSGPACK_FIELD_NUMBER: _ClassVar[int]
    version: int
    msgpack: bytes
    def __init__(self, version: _Optional[int] = ..., msgpack: _Optional[bytes] = ...) -> None: ...

class SessionRequest(_message.Message):
    __slots__ = ("description", "previous_session_id", "address", "manager_address", "data_path_address")
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    MANAGER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DATA_PATH_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    description: ApiValue
    previous_session_id: str
    address: str
    manager_address: str
    data_path_address: str
    def __init__(self, description: _Optional[_Union[ApiValue, _Mapping]] = ..., previous_session_id: _Optional[str] = ..., address: _Optional[str] = ..., manager_address: _Optional[str] = ..., data_path_address: _Optional[str] = ...) -> None: ...

class SessionMessage(_message.Message):
    __slots__ = ("leader", "session_id", "heartbeat_period_ms", "managers", "role", "root_certificates", "renew_certificate", "availability")
    LEADER_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_PERIOD_MS_FIELD_NUMBER: _ClassVar[int]
    MANAGERS_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ROOT_CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    RENEW_CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    AVAILABILITY_FIELD_NUMBER: _ClassVar[int]
    leader: Manager
    session_id: str
    heartbeat_period_ms: int
    managers: _containers.RepeatedCompositeFieldContainer[Manager]
    role: NodeRole
    root_certificates: bytes
    renew_certificate: bool
    availability: NodeAvailability
    def __init__(self, leader: _Optional[_Union[Manager, _Mapping]] = ..., session_id: _Optional[str] = ..., heartbeat_period_ms: _Optional[int] = ..., managers: _Optional[_Iterable[_Union[Manager, _Mapping]]] = ..., role: _Optional[_Union[NodeRole, str]] = ..., root_certificates: _Optional[bytes] = ..., renew_certificate: _Optional[bool] = ..., availability: _Optional[_Union[NodeAvailability, str]] = ...) -> None: ...

class Manager(_message.Message):
    __slots__ = ("node_id", "address", "weight")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    address: str
    weight: int
    def __init__(self, node_id: _Optional[str] = ..., address: _Optional[str] = ..., weight: _Optional[int] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ("period_ms",)
    PERIOD_MS_FIELD_NUMBER: _ClassVar[int]
    period_ms: int
    def __init__(self, period_ms: _Optional[int] = ...) -> None: ...

class PauseRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class PauseResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AssignmentsRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class AssignmentsMessage(_message.Message):
    __slots__ = ("complete", "more_follows", "set", "removed")
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    MORE_FOLLOWS_FIELD_NUMBER: _ClassVar[int]
    SET_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    complete: bool
    more_follows: bool
    set: _containers.RepeatedCompositeFieldContainer[Assignment]
    removed: _containers.RepeatedCompositeFieldContainer[AssignmentKey]
    def __init__(self, complete: _Optional[bool] = ..., more_follows: _Optional[bool] = ..., set: _Optional[_Iterable[_Union[Assignment, _Mapping]]] = ..., removed: _Optional[_Iterable[_Union[AssignmentKey, _Mapping]]] = ...) -> None: ...

class AssignmentKey(_message.Message):
    __slots__ = ("kind", "id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    kind: AssignmentKind
    id: str
    def __init__(self, kind: _Optional[_Union[AssignmentKind, str]] = ..., id: _Optional[str] = ...) -> None: ...

class Assignment(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: AssignmentKey
    value: ApiValue
    def __init__(self, key: _Optional[_Union[AssignmentKey, _Mapping]] = ..., value: _Optional[_Union[ApiValue, _Mapping]] = ...) -> None: ...

class TaskStatusUpdate(_message.Message):
    __slots__ = ("task_id", "status")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    status: ApiValue
    def __init__(self, task_id: _Optional[str] = ..., status: _Optional[_Union[ApiValue, _Mapping]] = ...) -> None: ...

class UpdateTaskStatusRequest(_message.Message):
    __slots__ = ("session_id", "updates")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    updates: _containers.RepeatedCompositeFieldContainer[TaskStatusUpdate]
    def __init__(self, session_id: _Optional[str] = ..., updates: _Optional[_Iterable[_Union[TaskStatusUpdate, _Mapping]]] = ...) -> None: ...

class UpdateTaskStatusResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
