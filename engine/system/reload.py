"""Tell those who watch events that the settings were read again."""

from __future__ import annotations

import msgspec

from engine.settings import Settings
from engine.system.env import SystemEnv


async def tell_reload(env: SystemEnv) -> None:
    """Publish the daemon's event: its id, its name and the settings now in force."""
    machine = await env.host.machine()
    attributes = {"name": env.host.hostname(), **_shown(env.settings.current)}
    env.events.publish("daemon", "reload", machine.engine_id, attributes)


def _shown(settings: Settings) -> dict[str, str]:
    """Return the settings as Docker shows them: numbers and booleans in words, lists as JSON."""
    return {
        "debug": str(settings.debug).lower(),
        "labels": _json(settings.labels),
        "live-restore": str(settings.live_restore).lower(),
        "insecure-registries": _json(settings.insecure_registries),
        "registry-mirrors": _json(settings.registry_mirrors),
        "max-concurrent-downloads": str(settings.max_concurrent_downloads),
        "max-concurrent-uploads": str(settings.max_concurrent_uploads),
        "max-download-attempts": str(settings.max_download_attempts),
        "default-runtime": settings.default_runtime,
        "runtimes": " ".join(sorted(settings.runtimes)),
        "default-shm-size": str(settings.default_shm_size),
        "default-ipc-mode": settings.default_ipc_mode,
        "shutdown-timeout": str(settings.shutdown_timeout_s),
    }


def _json(values: tuple[str, ...]) -> str:
    return msgspec.json.encode(values).decode()
