"""The process of an exec: who runs it, with which variables, rights and working directory."""

from __future__ import annotations

import asyncio

from engine.containers.env import ContainersEnv
from engine.containers.exec_instance import ExecInstance
from engine.containers.record import ContainerRecord
from engine.containers.teardown import runtime_of
from engine.core.container_state import NotRunning
from engine.core.oci_spec import Namespaces, SpecInput, build_exec_process
from engine.core.users import User, resolve_user
from engine.ports.runtime import ExecOrder


async def prepare_process(
    env: ContainersEnv,
    record: ContainerRecord,
    instance: ExecInstance,
    console_size: tuple[int, int] | None,
) -> ExecOrder:
    """Write the process of an exec to a directory of its own; return the order for the monitor.

    Names of users and groups are looked up in the container's files as they are now.
    Errors:  InvalidArgument (user, working directory), NotRunning when the container just ended.
    """
    if env.live.of(record.id).monitored is None:
        raise NotRunning(record.id)
    request = instance.request
    user = await _user_of(env, record, request.User or record.config.User)
    process = build_exec_process(
        container=_container(env, record, user),
        command=instance.command,
        user=user,
        env=request.Env,
        cwd=request.WorkingDir,
        tty=request.Tty,
        privileged=request.Privileged,
        console_size=console_size,
    )
    directory = await env.host.bundles.write_exec(record.id, instance.id, process)
    return ExecOrder(
        container_id=record.id,
        exec_id=instance.id,
        directory=directory,
        runtime=runtime_of(env, record.runtime),
        tty=request.Tty,
        stdin=request.AttachStdin,
    )


async def _user_of(env: ContainersEnv, record: ContainerRecord, spec: str) -> User:
    root = env.images.snapshotter.root(record.id)
    passwd, group = await asyncio.gather(
        env.host.rootfs.read(root, "/etc/passwd"), env.host.rootfs.read(root, "/etc/group")
    )
    return resolve_user(spec, passwd, group, record.host_config.GroupAdd)


def _container(env: ContainersEnv, record: ContainerRecord, user: User) -> SpecInput:
    """Return what an exec takes over from its container; the rest stays as it began."""
    settings = env.settings.current
    return SpecInput(
        container_id=record.id,
        config=record.config,
        host_config=record.host_config,
        path=record.path,
        args=record.args,
        rootfs=str(env.images.snapshotter.root(record.id)),
        user=user,
        hostname=record.config.Hostname,
        facts=env.host.facts.facts(),
        namespaces=Namespaces(),
        cgroups_path="",
        default_ulimits=settings.default_ulimits,
        no_new_privileges=settings.no_new_privileges,
    )
