from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RaftEntryKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RAFT_ENTRY_KIND_NORMAL: _ClassVar[RaftEntryKind]
    RAFT_ENTRY_KIND_CHANGE: _ClassVar[RaftEntryKind]

class RaftMessageKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RAFT_MESSAGE_KIND_UNSPECIFIED: _ClassVar[RaftMessageKind]
    RAFT_MESSAGE_KIND_PROPOSE: _ClassVar[RaftMessageKind]
    RAFT_MESSAGE_KIND_APPEND: _ClassVar[RaftMessageKind]
    RAFT_MESSAGE_KIND_APPEND_REPLY: _ClassVar[RaftMessageKind]
    RAFT_MESSAGE_KIND_VOTE: _ClassVar[RaftMessageKind]
    RAFT_MESSAGE_KIND_VOTE_REPLY: _ClassVar[RaftMessageKind]
    RAFT_MESSAGE_KIND_PRE_VOTE: _ClassVar[RaftMessageKind]
    RAFT_MESSAGE_KIND_PRE_VOTE_REPLY: _ClassVar[RaftMessageKind]
    RAFT_MESSAGE_KIND_SNAPSHOT: _ClassVar[RaftMessageKind]
    RAFT_MESSAGE_KIND_HEARTBEAT: _ClassVar[RaftMessageKind]
    RAFT_MESSAGE_KIND_HEARTBEAT_REPLY: _ClassVar[RaftMessageKind]
    RAFT_MESSAGE_KIND_TRANSFER_LEADER: _ClassVar[RaftMessageKind]
    RAFT_MESSAGE_KIND_TIMEOUT_NOW: _ClassVar[RaftMessageKind]
    RAFT_MESSAGE_KIND_READ_INDEX: _ClassVar[RaftMessageKind]
    RAFT_MESSAGE_KIND_READ_INDEX_REPLY: _ClassVar[RaftMessageKind]
RAFT_ENTRY_KIND_NORMAL: RaftEntryKind
RAFT_ENTRY_KIND_CHANGE: RaftEntryKind
RAFT_MESSAGE_KIND_UNSPECIFIED: RaftMessageKind
RAFT_MESSAGE_KIND_PROPOSE: RaftMessageKind
RAFT_MESSAGE_KIND_APPEND: RaftMessageKind
RAFT_MESSAGE_KIND_APPEND_REPLY: RaftMessageKind
RAFT_MESSAGE_KIND_VOTE: RaftMessageKind
RAFT_MESSAGE_KIND_VOTE_REPLY: RaftMessageKind
RAFT_MESSAGE_KIND_PRE_VOTE: RaftMessageKind
RAFT_MESSAGE_KIND_PRE_VOTE_REPLY: RaftMessageKind
RAFT_MESSAGE_KIND_SNAPSHOT: RaftMessageKind
RAFT_MESSAGE_KIND_HEARTBEAT: RaftMessageKind
RAFT_MESSAGE_KIND_HEARTBEAT_REPLY: RaftMessageKind
RAFT_MESSAGE_KIND_TRANSFER_LEADER: RaftMessageKind
RAFT_MESSAGE_KIND_TIMEOUT_NOW: RaftMessageKind
RAFT_MESSAGE_KIND_READ_INDEX: RaftMessageKind
RAFT_MESSAGE_KIND_READ_INDEX_REPLY: RaftMessageKind

class Greeting(_message.Message):
    __slots__ = ("sender", "receiver", "address")
    SENDER_FIELD_NUMBER: _ClassVar[int]
    RECEIVER_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    sender: int
    receiver: int
    address: str
    def __init__(self, sender: _Optional[int] = ..., receiver: _Optional[int] = ..., address: _Optional[str] = ...) -> None: ...

class StepRequest(_message.Message):
    __slots__ = ("greeting", "messages")
    GREETING_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    greeting: Greeting
    messages: _containers.RepeatedCompositeFieldContainer[RaftMessage]
    def __init__(self, greeting: _Optional[_Union[Greeting, _Mapping]] = ..., messages: _Optional[_Iterable[_Union[RaftMessage, _Mapping]]] = ...) -> None: ...

class StepResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SnapshotChunk(_message.Message):
    __slots__ = ("greeting", "message", "piece", "pieces")
    GREETING_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PIECE_FIELD_NUMBER: _ClassVar[int]
    PIECES_FIELD_NUMBER: _ClassVar[int]
    greeting: Greeting
    message: RaftMessage
    piece: bytes
    pieces: int
    def __init__(self, greeting: _Optional[_Union[Greeting, _Mapping]] = ..., message: _Optional[_Union[RaftMessage, _Mapping]] = ..., piece: _Optional[bytes] = ..., pieces: _Optional[int] = ...) -> None: ...

class SnapshotResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RaftEntry(_message.Message):
    __slots__ = ("term", "index", "kind", "data", "key")
    TERM_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    term: int
    index: int
    kind: RaftEntryKind
    data: bytes
    key: bytes
    def __init__(self, term: _Optional[int] = ..., index: _Optional[int] = ..., kind: _Optional[_Union[RaftEntryKind, str]] = ..., data: _Optional[bytes] = ..., key: _Optional[bytes] = ...) -> None: ...

class RaftConfiguration(_message.Message):
    __slots__ = ("voters", "voters_outgoing", "learners", "learners_next", "auto_leave")
    VOTERS_FIELD_NUMBER: _ClassVar[int]
    VOTERS_OUTGOING_FIELD_NUMBER: _ClassVar[int]
    LEARNERS_FIELD_NUMBER: _ClassVar[int]
    LEARNERS_NEXT_FIELD_NUMBER: _ClassVar[int]
    AUTO_LEAVE_FIELD_NUMBER: _ClassVar[int]
    voters: _containers.RepeatedScalarFieldContainer[int]
    voters_outgoing: _containers.RepeatedScalarFieldContainer[int]
    learners: _containers.RepeatedScalarFieldContainer[int]
    learners_next: _containers.RepeatedScalarFieldContainer[int]
    auto_leave: bool
    def __init__(self, voters: _Optional[_Iterable[int]] = ..., voters_outgoing: _Optional[_Iterable[int]] = ..., learners: _Optional[_Iterable[int]] = ..., learners_next: _Optional[_Iterable[int]] = ..., auto_leave: _Optional[bool] = ...) -> None: ...

class RaftSnapshot(_message.Message):
    __slots__ = ("index", "term", "configuration", "about")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    CONFIGURATION_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    index: int
    term: int
    configuration: RaftConfiguration
    about: bytes
    def __init__(self, index: _Optional[int] = ..., term: _Optional[int] = ..., configuration: _Optional[_Union[RaftConfiguration, _Mapping]] = ..., about: _Optional[bytes] = ...) -> None: ...

class RaftMessage(_message.Message):
    __slots__ = ("kind", "to", "sender", "term", "log_term", "index", "entries", "commit", "vote", "snapshot", "reject", "reject_hint", "context")
    KIND_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    LOG_TERM_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    VOTE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    REJECT_FIELD_NUMBER: _ClassVar[int]
    REJECT_HINT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    kind: RaftMessageKind
    to: int
    sender: int
    term: int
    log_term: int
    index: int
    entries: _containers.RepeatedCompositeFieldContainer[RaftEntry]
    commit: int
    vote: int
    snapshot: RaftSnapshot
    reject: bool
    reject_hint: int
    context: bytes
    def __init__(self, kind: _Optional[_Union[RaftMessageKind, str]] = ..., to: _Optional[int] = ..., sender: _Optional[int] = ..., term: _Optional[int] = ..., log_term: _Optional[int] = ..., index: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[RaftEntry, _Mapping]]] = ..., commit: _Optional[int] = ..., vote: _Optional[int] = ..., snapshot: _Optional[_Union[RaftSnapshot, _Mapping]] = ..., reject: _Optional[bool] = ..., reject_hint: _Optional[int] = ..., context: _Optional[bytes] = ...) -> None: ...
