"""The daemon: engine and API in one process, from its start to its clean end."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

import structlog
import uvloop

from agent import swarm_root
from agent.config import DaemonConfig, reloaded
from agent.notify import notify, notify_reloading
from agent.ownership import DataRoot, Inner, PidFile
from agent.remapping import remapped
from agent.swarm.resume import resume
from api.errors import SkepError
from api.http.app import Api, fixed_headers
from api.http.listeners import Listener, listen
from api.http.server import ApiServer
from api.logs import set_up_logs
from engine.engine import Engine, start
from engine.settings import LiveSettings, Settings
from engine.system.env import SystemEnv
from engine.system.reload import tell_reload

log = structlog.get_logger(__name__)

ReadConfig = Callable[[], DaemonConfig]

_STREAM_GRACE_S = 1.0
# How long a thread that computes may keep the loop from running: Python's own 5 ms are felt.
_SWITCH_INTERVAL_S = 0.0005
# What the engine may take beyond the containers' own time-out, before it is given up.
_ENGINE_GRACE_S = 30.0


def run(given: DaemonConfig, read_config: ReadConfig) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP reads the configuration again.

    Errors:  SkepError when the daemon cannot start; what it had begun is undone.
    """
    set_up_logs(_level(given), given.log_format)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    data_root, exec_root = given.settings.data_root, given.settings.exec_root
    config = replace(given, settings=remapped(given.settings))
    with DataRoot(data_root, exec_root, _inner(config.settings)), PidFile(config.pidfile):
        listeners = listen(config.addresses, config.access)
        try:
            uvloop.run(_serve(config, read_config, listeners))
        finally:
            for listener in listeners:
                listener.socket.close()
                listener.unlink()


def _inner(settings: Settings) -> Inner | None:
    if settings.id_maps is None:
        return None
    return Inner(settings.data_root, *settings.id_maps.root)


async def _serve(config: DaemonConfig, read_config: ReadConfig, listeners: list[Listener]) -> None:
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, signals.put_nowait, number)
    live = LiveSettings(config.settings)
    swarm = swarm_root.prepare(config)
    engine = await start(live, swarm.view)
    app = Api()
    swarm_root.install_networks(swarm, app, engine)
    engine.install(app)
    swarm_env = swarm_root.install(swarm, app, engine)
    await resume(swarm_env)
    app.prepare()
    headers = fixed_headers(_own_version())
    server = ApiServer(app, listeners, headers, swarm_root.shortcut(swarm))
    # What start-up has made lives on: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    await server.start()
    log.info("daemon.ready", hosts=[str(address) for address in config.addresses])
    notify("READY=1")
    while await signals.get() == signal.SIGHUP:
        await _reload(live, read_config, engine.system)
    notify("STOPPING=1")
    log.info("daemon.stopping")
    await server.stop(_STREAM_GRACE_S)
    await swarm.end(are_tasks_left_running=live.current.live_restore)
    await _stop_engine(engine, live)
    log.info("daemon.stopped")


async def _stop_engine(engine: Engine, live: LiveSettings) -> None:
    timeout_s = live.current.shutdown_timeout_s
    limit_s = None if timeout_s < 0 else timeout_s + _ENGINE_GRACE_S
    try:
        async with asyncio.timeout(limit_s):
            await engine.stop()
    except TimeoutError:
        log.warning("daemon.stop_timed_out", timeout_s=limit_s)


async def _reload(live: LiveSettings, read_config: ReadConfig, env: SystemEnv) -> None:
    """Take over what may change; a configuration with errors changes nothing."""
    notify_reloading()
    try:
        fresh = read_config()
    except SkepError as error:
        log.error("daemon.reload_failed", error=error.message)  # noqa: TRY400 - the message says it all
    else:
        live.current = reloaded(live.current, fresh.settings)
        set_up_logs(_level(fresh), fresh.log_format)
        log.info("daemon.reloaded")
        await tell_reload(env)
    notify("READY=1")


def _level(config: DaemonConfig) -> str:
    return "debug" if config.settings.debug else config.log_level


def _own_version() -> str:
    try:
        return version("skep")
    except PackageNotFoundError:
        return "unknown"
