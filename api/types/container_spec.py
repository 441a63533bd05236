"""The containers of a service's tasks, as the API spells them (Engine API 1.56)."""

from __future__ import annotations

from msgspec import Struct, field

from api.types.configs import ConfigReference
from api.types.containers import HealthConfig, Mount, Ulimit
from api.types.objects import nothing
from api.types.secrets import SecretReference


class CredentialSpec(Struct, frozen=True, kw_only=True):
    """Credentials of a Windows service account: one of the three is set."""

    Config: str = ""
    File: str = ""
    Registry: str = ""


class SELinuxContext(Struct, frozen=True, kw_only=True):
    """SELinux labels."""

    Disable: bool = False
    User: str = ""
    Role: str = ""
    Type: str = ""
    Level: str = ""


class SeccompOptions(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Mode is default, unconfined or custom; Profile, for custom, base64 on the wire."""

    Mode: str = ""
    Profile: bytes = b""


class AppArmorOptions(Struct, frozen=True, omit_defaults=True):
    """Mode is default or disabled."""

    Mode: str = ""


class Privileges(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Security options of the containers."""

    CredentialSpec: CredentialSpec | None = field(default_factory=nothing)
    SELinuxContext: SELinuxContext | None = field(default_factory=nothing)
    Seccomp: SeccompOptions | None = None
    AppArmor: AppArmorOptions | None = None
    NoNewPrivileges: bool = field(default_factory=bool)


class DNSConfig(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What stands in resolv.conf."""

    Nameservers: list[str] = field(default_factory=list)
    Search: list[str] = field(default_factory=list)
    Options: list[str] = field(default_factory=list)


class ContainerSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What each container of a service is made of; Hosts in the form of hosts(5)."""

    Image: str = ""
    Labels: dict[str, str] = field(default_factory=dict)
    Command: list[str] = field(default_factory=list)
    Args: list[str] = field(default_factory=list)
    Hostname: str = ""
    Env: list[str] = field(default_factory=list)
    Dir: str = ""
    User: str = ""
    Groups: list[str] = field(default_factory=list)
    Privileges: Privileges | None = None
    Init: bool | None = None
    StopSignal: str = ""
    TTY: bool = False
    OpenStdin: bool = False
    ReadOnly: bool = False
    Mounts: list[Mount] = field(default_factory=list)
    StopGracePeriod: int | None = None
    Healthcheck: HealthConfig | None = None
    Hosts: list[str] = field(default_factory=list)
    DNSConfig: DNSConfig | None = None
    Secrets: list[SecretReference] = field(default_factory=list)
    Configs: list[ConfigReference] = field(default_factory=list)
    Isolation: str = ""
    Sysctls: dict[str, str] = field(default_factory=dict)
    CapabilityAdd: list[str] = field(default_factory=list)
    CapabilityDrop: list[str] = field(default_factory=list)
    Ulimits: list[Ulimit] = field(default_factory=list)
    OomScoreAdj: int = 0
