"""Say which version answers, and which programs it stands on."""

from __future__ import annotations

from api.types.system import ComponentVersion, PlatformName, SystemVersion
from api.versions import CURRENT, MINIMUM, spell
from engine.ports.host import Machine
from engine.system.env import SystemEnv

NEWEST_API = spell(CURRENT)
OLDEST_API = spell(MINIMUM)


async def version(env: SystemEnv) -> SystemVersion:
    """Return versions. `GoVersion`, which clients print, tells that there is none but a Python."""
    machine = await env.host.machine()
    language = f"none (Python {machine.python})"
    engine = {
        "ApiVersion": NEWEST_API,
        "Arch": machine.platform,
        "BuildTime": "",
        "Experimental": "false",
        "GitCommit": machine.revision,
        "GoVersion": language,
        "KernelVersion": machine.kernel,
        "MinAPIVersion": OLDEST_API,
        "Os": "linux",
    }
    return SystemVersion(
        Platform=PlatformName("Skep"),
        Components=[ComponentVersion("Engine", env.version, engine), *_tools(env, machine)],
        Version=env.version,
        ApiVersion=NEWEST_API,
        MinAPIVersion=OLDEST_API,
        GitCommit=machine.revision,
        GoVersion=language,
        Arch=machine.platform,
        KernelVersion=machine.kernel,
    )


def _tools(env: SystemEnv, machine: Machine) -> list[ComponentVersion]:
    named = (
        (env.settings.current.default_runtime, machine.runtime),
        ("conmon", machine.monitor),
        ("init", machine.init),
    )
    return [
        ComponentVersion(name, tool.version, {"GitCommit": tool.commit})
        for name, tool in named
        if tool.version
    ]
