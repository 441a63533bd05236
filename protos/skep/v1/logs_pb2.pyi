from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LogsOptions(_message.Message):
    __slots__ = ("follow", "stdout", "stderr", "timestamps", "details", "since_ns", "tail")
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    STDOUT_FIELD_NUMBER: _ClassVar[int]
    STDERR_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMPS_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    SINCE_NS_FIELD_NUMBER: _ClassVar[int]
    TAIL_FIELD_NUMBER: _ClassVar[int]
    follow: bool
    stdout: bool
    stderr: bool
    timestamps: bool
    details: bool
    since_ns: int
    tail: int
    def __init__(self, follow: _Optional[bool] = ..., stdout: _Optional[bool] = ..., stderr: _Optional[bool] = ..., timestamps: _Optional[bool] = ..., details: _Optional[bool] = ..., since_ns: _Optional[int] = ..., tail: _Optional[int] = ...) -> None: ...

class LogsRequest(_message.Message):
    __slots__ = ("options", "service_ids", "task_ids", "positions")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    SERVICE_IDS_FIELD_NUMBER: _ClassVar[int]
    TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    options: LogsOptions
    service_ids: _containers.RepeatedScalarFieldContainer[str]
    task_ids: _containers.RepeatedScalarFieldContainer[str]
    positions: _containers.RepeatedCompositeFieldContainer[LogsPosition]
    def __init__(self, options: _Optional[_Union[LogsOptions, _Mapping]] = ..., service_ids: _Optional[_Iterable[str]] = ..., task_ids: _Optional[_Iterable[str]] = ..., positions: _Optional[_Iterable[_Union[LogsPosition, _Mapping]]] = ...) -> None: ...

class LogsPiece(_message.Message):
    __slots__ = ("data", "positions")
    DATA_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    positions: _containers.RepeatedCompositeFieldContainer[LogsPosition]
    def __init__(self, data: _Optional[bytes] = ..., positions: _Optional[_Iterable[_Union[LogsPosition, _Mapping]]] = ...) -> None: ...

class LogsListenRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class LogsOrder(_message.Message):
    __slots__ = ("reading_id", "options", "task_ids", "close", "positions")
    READING_ID_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    reading_id: str
    options: LogsOptions
    task_ids: _containers.RepeatedScalarFieldContainer[str]
    close: bool
    positions: _containers.RepeatedCompositeFieldContainer[LogsPosition]
    def __init__(self, reading_id: _Optional[str] = ..., options: _Optional[_Union[LogsOptions, _Mapping]] = ..., task_ids: _Optional[_Iterable[str]] = ..., close: _Optional[bool] = ..., positions: _Optional[_Iterable[_Union[LogsPosition, _Mapping]]] = ...) -> None: ...

class LogsPosition(_message.Message):
    __slots__ = ("task_id", "moment_ns", "count")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    MOMENT_NS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    moment_ns: int
    count: int
    def __init__(self, task_id: _Optional[str] = ..., moment_ns: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class LogsPublishRequest(_message.Message):
    __slots__ = ("reading_id", "session_id", "data", "problem", "position")
    READING_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    reading_id: str
    session_id: str
    data: bytes
    problem: str
    position: LogsPosition
    def __init__(self, reading_id: _Optional[str] = ..., session_id: _Optional[str] = ..., data: _Optional[bytes] = ..., problem: _Optional[str] = ..., position: _Optional[_Union[LogsPosition, _Mapping]] = ...) -> None: ...

class LogsPublishResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
