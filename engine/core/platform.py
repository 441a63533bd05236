"""Platforms: how they are written, and which of an index's images fits one.

Source: the tables and the order of choice that containerd's `platforms` package documents.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from api.errors import InvalidArgument
from engine.core.manifest import Descriptor, Platform

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "ppc64el": ("ppc64le", ""),
    "mips64el": ("mips64le", ""),
}
_SYSTEMS = frozenset({"linux", "windows", "darwin", "freebsd"})
_ARM_VARIANTS = ("v8", "v7", "v6", "v5")


def normalized(platform: Platform) -> Platform:
    """Return the platform with its architecture and variant spelled in one way."""
    architecture = platform.architecture.lower()
    architecture, implied = _ARCHITECTURES.get(architecture, (architecture, ""))
    variant = platform.variant.lower() or implied
    if architecture == "arm64" and variant in {"8", "v8"}:
        variant = ""
    if architecture == "amd64" and variant == "v1":
        variant = ""
    if architecture == "arm":
        variant = f"v{variant}" if variant in {"5", "6", "7", "8"} else variant or "v7"
    return replace(
        platform, os=platform.os.lower() or "linux", architecture=architecture, variant=variant
    )


def parse_platform(text: str, default: Platform) -> Platform:
    """Return what `os[/architecture[/variant]]` or an architecture alone names; "" the default.

    Errors:  InvalidArgument.
    """
    if not text:
        return normalized(default)
    parts = text.split("/")
    if len(parts) > 3 or not all(_PART.fullmatch(part) for part in parts):
        raise InvalidArgument(
            f'"{text}" is an invalid platform: it is written OS[/architecture[/variant]]'
        )
    if len(parts) == 1:
        if parts[0].lower() in _SYSTEMS:
            return normalized(replace(default, os=parts[0]))
        return normalized(Platform(os=default.os, architecture=parts[0]))
    variant = parts[2] if len(parts) == 3 else ""
    return normalized(Platform(os=parts[0], architecture=parts[1], variant=variant))


def write_platform(platform: Platform) -> str:
    """Return `linux/arm/v7`."""
    return "/".join(part for part in (platform.os, platform.architecture, platform.variant) if part)


def fallbacks(wanted: Platform) -> list[tuple[str, str, str]]:
    """Return (os, architecture, variant) of all that runs on a platform, the best first."""
    wanted = normalized(wanted)
    system, architecture, variant = wanted.os, wanted.architecture, wanted.variant
    found = [(system, architecture, variant)]
    if architecture == "arm" and variant in _ARM_VARIANTS:
        lower = _ARM_VARIANTS[_ARM_VARIANTS.index(variant) + 1 :]
        found += [(system, "arm", each) for each in lower]
    elif architecture == "arm64" and not variant:
        found += [(system, "arm", each) for each in _ARM_VARIANTS]
    elif architecture in {"amd64", "arm64"} and variant:
        found.append((system, architecture, ""))
    return found


def choose(manifests: Sequence[Descriptor], wanted: Platform) -> Descriptor | None:
    """Return the entry of an index that fits best, the first of equals; None if none does."""
    by_platform: dict[tuple[str, str, str], Descriptor] = {}
    for entry in manifests:
        if entry.platform is not None:
            has = normalized(entry.platform)
            by_platform.setdefault((has.os, has.architecture, has.variant), entry)
    for candidate in fallbacks(wanted):
        if candidate in by_platform:
            return by_platform[candidate]
    return None


def fits(image: Platform, wanted: Platform) -> bool:
    """Tell whether an image runs on a platform; an image that says nothing fits any."""
    if not image.architecture:
        return True
    has = normalized(image)
    return (has.os, has.architecture, has.variant) in fallbacks(wanted)
