"""What a node tells the managers of itself, from what its engine says."""

from __future__ import annotations

from api.types.nodes import EngineDescription, NodeDescription, Platform, PluginDescription
from api.types.resources import ResourceObject
from api.types.system import SystemInfo

_NANOS = 1_000_000_000


def describe(info: SystemInfo) -> NodeDescription:
    """Return the description, without what only its certificate tells.

    Of a label that the configuration gives twice the last one counts.
    """
    plugins = {
        "Volume": info.Plugins.Volume,
        "Network": info.Plugins.Network,
        "Authorization": info.Plugins.Authorization or [],
        "Log": info.Plugins.Log,
    }
    labels = (label.partition("=") for label in info.Labels)
    return NodeDescription(
        Hostname=info.Name,
        Platform=Platform(Architecture=info.Architecture, OS=info.OSType),
        Resources=ResourceObject(
            NanoCPUs=info.NCPU * _NANOS,
            MemoryBytes=info.MemTotal,
            GenericResources=info.GenericResources or [],
        ),
        Engine=EngineDescription(
            EngineVersion=info.ServerVersion,
            Labels={name: value for name, _, value in labels},
            Plugins=sorted(
                (
                    PluginDescription(kind, name)
                    for kind, names in plugins.items()
                    for name in names
                ),
                key=lambda each: (each.Type, each.Name),
            ),
        ),
    )
