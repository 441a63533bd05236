"""What a join token is good for."""

from __future__ import annotations

import hmac

from api.swarm_errors import InvalidJoinToken
from api.types.nodes import NodeRole
from manager.core.objects.cluster import RootCA


def role_of_token(token: str, root: RootCA) -> NodeRole:
    """Return the role that a token gives; InvalidJoinToken for one that is none of now.

    Both are compared in full and in constant time, so that no answer comes sooner than another.
    """
    shown = token.strip().encode()
    is_manager = hmac.compare_digest(shown, root.manager_token.encode())
    is_worker = hmac.compare_digest(shown, root.worker_token.encode())
    if is_manager and root.manager_token:
        return NodeRole.MANAGER
    if is_worker and root.worker_token:
        return NodeRole.WORKER
    raise InvalidJoinToken
