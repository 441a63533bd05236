"""Dockerfile instructions that change an image's configuration: what `import -c` takes.

Source:  the Dockerfile reference; `docker import --change`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from api.errors import InvalidArgument
from api.types.containers import ContainerConfig

_SHELL = ["/bin/sh", "-c"]
_PORT = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp|sctp))?", re.IGNORECASE)


def apply_changes(config: ContainerConfig, changes: Sequence[str]) -> ContainerConfig:
    """Return the configuration after the instructions, in order.

    Errors:  InvalidArgument for an instruction that is unknown or malformed.
    """
    for change in changes:
        for line in filter(None, (each.strip() for each in change.splitlines())):
            word, _, rest = line.partition(" ")
            verb = _VERBS.get(word.upper())
            if verb is None:
                raise InvalidArgument(f"{word[:64]} is not a valid change command")
            if not rest.strip():
                raise InvalidArgument(f"{word.upper()} requires at least one argument")
            config = verb(config, rest.strip())
    return config


def _command(text: str) -> list[str]:
    """Return the JSON form's words, or the shell form run by a shell."""
    return _json_words(text) or [*_SHELL, text]


def _json_words(text: str) -> list[str] | None:
    try:
        return msgspec.json.decode(text.encode(), type=list[str])
    except (msgspec.MsgspecError, UnicodeError):
        return None


def _cmd(config: ContainerConfig, text: str) -> ContainerConfig:
    return replace(config, Cmd=_command(text))


def _entrypoint(config: ContainerConfig, text: str) -> ContainerConfig:
    return replace(config, Entrypoint=_command(text))


def _env(config: ContainerConfig, text: str) -> ContainerConfig:
    pairs = {key: value for key, _, value in (each.partition("=") for each in config.Env or [])}
    pairs.update(_pairs("ENV", text))
    return replace(config, Env=[f"{key}={value}" for key, value in pairs.items()])


def _label(config: ContainerConfig, text: str) -> ContainerConfig:
    return replace(config, Labels={**(config.Labels or {}), **_pairs("LABEL", text)})


def _expose(config: ContainerConfig, text: str) -> ContainerConfig:
    ports = dict(config.ExposedPorts or {}) if config.ExposedPorts is not UNSET else {}
    for word in text.split():
        found = _PORT.fullmatch(word)
        first = int(found[1]) if found else 0
        last = int(found[2] or first) if found else 0
        if found is None or not 0 < first <= last <= 65535:
            raise InvalidArgument(f"invalid containerPort: {word[:64]}")
        protocol = (found[3] or "tcp").lower()
        ports.update({f"{port}/{protocol}": {} for port in range(first, last + 1)})
    return replace(config, ExposedPorts=ports)


def _volume(config: ContainerConfig, text: str) -> ContainerConfig:
    words = _json_words(text) or text.split()
    return replace(config, Volumes={**(config.Volumes or {}), **{word: {} for word in words}})


def _workdir(config: ContainerConfig, text: str) -> ContainerConfig:
    if not text.startswith("/"):
        text = f"{config.WorkingDir.rstrip('/')}/{text}"
    return replace(config, WorkingDir=text)


def _user(config: ContainerConfig, text: str) -> ContainerConfig:
    return replace(config, User=text)


def _stop_signal(config: ContainerConfig, text: str) -> ContainerConfig:
    return replace(config, StopSignal=text)


def _on_build(config: ContainerConfig, text: str) -> ContainerConfig:
    before = list(config.OnBuild or []) if config.OnBuild is not UNSET else []
    return replace(config, OnBuild=[*before, text])


def _shell(config: ContainerConfig, text: str) -> ContainerConfig:
    words = _json_words(text)
    if not words:
        raise InvalidArgument("SHELL requires the arguments to be in JSON form")
    return replace(config, Shell=words)


def _pairs(verb: str, text: str) -> dict[str, str]:
    """Return `key=value key2="a b"`, or the old form `key value with blanks`."""
    words = _words(text)
    if "=" not in words[0]:
        key, _, value = text.partition(" ")
        if not value:
            raise InvalidArgument(f"{verb} must have two arguments")
        return {key: value.strip()}
    pairs = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise InvalidArgument(f"Syntax error - can't find = in {word[:64]!r}")
        pairs[key] = value
    return pairs


def _words(text: str) -> list[str]:
    """Split at blanks; quotes and backslashes keep what follows them together."""
    words: list[str] = []
    current: list[str] = []
    quote = ""
    letters = iter(text)
    open_word = False
    for letter in letters:
        if letter == "\\" and quote != "'":
            current.append(next(letters, ""))
            open_word = True
        elif quote:
            if letter == quote:
                quote = ""
            else:
                current.append(letter)
        elif letter in "\"'":
            quote = letter
            open_word = True
        elif letter.isspace():
            if open_word:
                words.append("".join(current))
                current, open_word = [], False
        else:
            current.append(letter)
            open_word = True
    if quote:
        raise InvalidArgument("unexpected end of statement while looking for matching quote")
    if open_word:
        words.append("".join(current))
    return words


_VERBS: dict[str, Callable[[ContainerConfig, str], ContainerConfig]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "LABEL": _label,
    "ONBUILD": _on_build,
    "SHELL": _shell,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
