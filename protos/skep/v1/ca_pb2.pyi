from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OnBehalfOf(_message.Message):
    __slots__ = ("node_id", "role", "cluster_id")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    role: str
    cluster_id: str
    def __init__(self, node_id: _Optional[str] = ..., role: _Optional[str] = ..., cluster_id: _Optional[str] = ...) -> None: ...

class GetRootCertificateRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetRootCertificateResponse(_message.Message):
    __slots__ = ("roots",)
    ROOTS_FIELD_NUMBER: _ClassVar[int]
    roots: bytes
    def __init__(self, roots: _Optional[bytes] = ...) -> None: ...

class IssueNodeCertificateRequest(_message.Message):
    __slots__ = ("signing_request", "token", "availability", "on_behalf_of")
    SIGNING_REQUEST_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    AVAILABILITY_FIELD_NUMBER: _ClassVar[int]
    ON_BEHALF_OF_FIELD_NUMBER: _ClassVar[int]
    signing_request: bytes
    token: str
    availability: str
    on_behalf_of: OnBehalfOf
    def __init__(self, signing_request: _Optional[bytes] = ..., token: _Optional[str] = ..., availability: _Optional[str] = ..., on_behalf_of: _Optional[_Union[OnBehalfOf, _Mapping]] = ...) -> None: ...

class IssueNodeCertificateResponse(_message.Message):
    __slots__ = ("node_id", "role", "chain", "roots")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    ROOTS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    role: str
    chain: bytes
    roots: bytes
    def __init__(self, node_id: _Optional[str] = ..., role: _Optional[str] = ..., chain: _Optional[bytes] = ..., roots: _Optional[bytes] = ...) -> None: ...

class NodeCertificateStatusRequest(_message.Message):
    __slots__ = ("node_id", "signing_request")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNING_REQUEST_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    signing_request: bytes
    def __init__(self, node_id: _Optional[str] = ..., signing_request: _Optional[bytes] = ...) -> None: ...

class NodeCertificateStatusResponse(_message.Message):
    __slots__ = ("role", "chain", "roots", "renewal_wanted")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    ROOTS_FIELD_NUMBER: _ClassVar[int]
    RENEWAL_WANTED_FIELD_NUMBER: _ClassVar[int]
    role: str
    chain: bytes
    roots: bytes
    renewal_wanted: bool
    def __init__(self, role: _Optional[str] = ..., chain: _Optional[bytes] = ..., roots: _Optional[bytes] = ..., renewal_wanted: _Optional[bool] = ...) -> None: ...

class GetUnlockKeyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetUnlockKeyResponse(_message.Message):
    __slots__ = ("unlock_key",)
    UNLOCK_KEY_FIELD_NUMBER: _ClassVar[int]
    unlock_key: str
    def __init__(self, unlock_key: _Optional[str] = ...) -> None: ...
