"""The flags of `skep daemon`: Docker's names, each standing for one key of daemon.json."""

from __future__ import annotations

import argparse
from typing import Any

from msgspec.inspect import BoolType, IntType, StructType, UnionType, type_info

from agent.options import Options

# Keys that hold lists or maps: the flag that adds one element, and what an element looks like.
_REPEATED = {
    "hosts": ("host", "ADDRESS"),
    "labels": ("label", "KEY=VALUE"),
    "insecure-registries": ("insecure-registry", "HOST"),
    "registry-mirrors": ("registry-mirror", "URL"),
    "dns": ("dns", "IP"),
    "dns-opts": ("dns-opt", "OPTION"),
    "dns-search": ("dns-search", "DOMAIN"),
    "log-opts": ("log-opt", "KEY=VALUE"),
    "default-address-pools": ("default-address-pool", "base=CIDR,size=N"),
    "default-ulimits": ("default-ulimit", "NAME=SOFT[:HARD]"),
    "runtimes": ("add-runtime", "NAME=PATH"),
    "node-generic-resources": ("node-generic-resource", "KIND=VALUE"),
}
_SHORT = {"hosts": "-H", "debug": "-D", "group": "-G", "log-level": "-l", "pidfile": "-p"}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for every key."""
    options = type_info(Options)
    assert isinstance(options, StructType)
    for field in options.fields:
        key = field.encode_name
        names = [_SHORT[key]] if key in _SHORT else []
        settings: dict[str, Any] = {"dest": key, "default": argparse.SUPPRESS}
        kinds = field.type.types if isinstance(field.type, UnionType) else (field.type,)
        if key in _REPEATED:
            flag, shape = _REPEATED[key]
            settings |= {"action": "append", "metavar": shape}
        elif isinstance(kinds[0], BoolType):
            flag = key
            settings |= {"nargs": "?", "const": True, "type": _boolean, "metavar": "BOOL"}
        else:
            flag = key
            settings |= {"type": int if len(kinds) == 1 and isinstance(kinds[0], IntType) else str}
            settings["metavar"] = "N" if settings["type"] is int else "VALUE"
        parser.add_argument(*names, f"--{flag}", **settings)


def flags_as_keys(parsed: argparse.Namespace) -> dict[str, Any]:
    """Return what the flags say in the shapes of daemon.json.

    Errors:  ValueError naming the flag.
    """
    given = {key: value for key, value in vars(parsed).items() if key in _KEYS}
    for key, shape in _SHAPES.items():
        if key in given:
            given[key] = shape(given[key])
    return given


_KEYS = frozenset(Options.__struct_encode_fields__)


def _boolean(text: str) -> bool:
    match text.lower():
        case "true" | "1" | "t":
            return True
        case "false" | "0" | "f":
            return False
        case _:
            raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def _pairs(flag: str, texts: list[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise ValueError(f"--{flag}: {text!r} is not of the form {_shape(flag)}")
        pairs[name] = value
    return pairs


def _shape(flag: str) -> str:
    return next(shape for name, shape in _REPEATED.values() if name == flag)


def _log_options(texts: list[str]) -> dict[str, str]:
    return _pairs("log-opt", texts)


def _runtimes(texts: list[str]) -> dict[str, Any]:
    return {name: {"path": path} for name, path in _pairs("add-runtime", texts).items()}


def _pools(texts: list[str]) -> list[dict[str, Any]]:
    pools: list[dict[str, Any]] = []
    for text in texts:
        pair = _pairs("default-address-pool", text.split(","))
        if pair.keys() != {"base", "size"} or not pair["size"].isdecimal():
            shape = _shape("default-address-pool")
            raise ValueError(f"--default-address-pool: {text!r} is not of the form {shape}")
        pools.append({"base": pair["base"], "size": int(pair["size"])})
    return pools


def _ulimits(texts: list[str]) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    for name, value in _pairs("default-ulimit", texts).items():
        soft, _, hard = value.partition(":")
        try:
            limits[name] = {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)}
        except ValueError as error:
            text = f"{name}={value}"
            shape = _shape("default-ulimit")
            raise ValueError(f"--default-ulimit: {text!r} is not of the form {shape}") from error
    return limits


_SHAPES = {
    "log-opts": _log_options,
    "runtimes": _runtimes,
    "default-address-pools": _pools,
    "default-ulimits": _ulimits,
}
