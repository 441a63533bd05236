"""Secrets and configs over HTTP."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api.http.bodies import Answer, Empty, body
from api.http.query import Query
from manager.cluster.configs import CONFIG
from manager.cluster.contents import (
    Kind,
    create_contents,
    inspect_contents,
    list_contents,
    remove_contents,
    update_contents,
)
from manager.cluster.secrets import SECRET
from manager.routes.envs import Cluster
from manager.routes.versions import version_argument

router = APIRouter()


def _serve(kind: Kind[Any]) -> None:
    noun = kind.table.kind
    nouns = f"/{noun}s"
    sent_spec = body(kind.spec)

    @router.get(nouns)
    async def get_all(env: Cluster, query: Query) -> Answer:
        """List them."""
        return Answer(await list_contents(env, kind, query.filters()))

    @router.post(f"{nouns}/create")
    async def post(env: Cluster, spec: Any = sent_spec) -> Answer:
        """Make one: 409 when another has its name."""
        return Answer(await create_contents(env, kind, spec), status=201)

    @router.get(f"{nouns}/{{ref}}")
    async def get_one(ref: str, env: Cluster) -> Answer:
        """Show one."""
        return Answer(await inspect_contents(env, kind, ref))

    @router.delete(f"{nouns}/{{ref}}")
    async def delete(ref: str, env: Cluster) -> Empty:
        """Remove one: 400 while services use it."""
        await remove_contents(env, kind, ref)
        return Empty()

    @router.post(f"{nouns}/{{ref}}/update")
    async def post_update(ref: str, env: Cluster, query: Query, spec: Any = sent_spec) -> Empty:
        """Replace the labels of one."""
        await update_contents(env, kind, ref, version_argument(noun, query), spec)
        return Empty(200)


for _kind in (SECRET, CONFIG):
    _serve(_kind)
