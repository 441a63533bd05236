"""A task's security options in the engine's words."""

from __future__ import annotations

from api.errors import InvalidArgument, Unsupported
from api.types.container_spec import Privileges, SeccompOptions, SELinuxContext


def security_options(privileges: Privileges | None) -> list[str]:
    """Return the SecurityOpt of a container.

    Errors:  Unsupported for credentials of Windows, InvalidArgument.
    """
    if privileges is None:
        return []
    if privileges.CredentialSpec is not None:
        raise Unsupported("credential specs are for containers of Windows: this node runs Linux's")
    return [
        *_selinux(privileges.SELinuxContext),
        *_seccomp(privileges.Seccomp),
        *(
            ["apparmor=unconfined"]
            if privileges.AppArmor is not None and privileges.AppArmor.Mode == "disabled"
            else []
        ),
        *(["no-new-privileges=true"] if privileges.NoNewPrivileges else []),
    ]


def _selinux(context: SELinuxContext | None) -> list[str]:
    if context is None:
        return []
    if context.Disable:
        return ["label=disable"]
    parts = {
        "user": context.User,
        "role": context.Role,
        "type": context.Type,
        "level": context.Level,
    }
    return [f"label={name}:{value}" for name, value in parts.items() if value]


def _seccomp(seccomp: SeccompOptions | None) -> list[str]:
    match seccomp.Mode if seccomp is not None else "":
        case "" | "default":
            return []
        case "unconfined":
            return ["seccomp=unconfined"]
        case "custom":
            assert seccomp is not None
            return [f"seccomp={seccomp.Profile.decode('utf-8', 'replace')}"]
        case other:
            raise InvalidArgument(f'unsupported seccomp mode: "{other}"')
