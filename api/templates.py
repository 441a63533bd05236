"""The small language of placeholders in services: `{{.Service.Name}}-{{.Task.Slot}}`.

A part of Go's text/template, which Docker's users know: fields of the context, `index` for map
keys, string and number literals, calls of named functions, pipes, comments, and `{{-` `-}}` that
swallow white space. Conditions, loops and variables are not understood, and refused.
Source: "Create services using templates", docker service create; Go's text/template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from api.errors import InvalidArgument

Function = Callable[..., str]
"""Called with the texts of its arguments; raises TemplateError when they make no sense."""

NO_VALUE = "<no value>"

_ACTION = re.compile(r"(?P<left>\{\{-\s|\{\{)(?P<body>.*?)(?P<right>\s-\}\}|\}\})", re.DOTALL)
_COMMENT = re.compile(r"/\*.*\*/", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:(?P<field>(?:\.[A-Za-z_]\w*)+)|(?P<quoted>"(?:[^"\\\n]|\\.)*")"""
    r"""|(?P<raw>`[^`]*`)|(?P<number>-?\d+)|(?P<name>[A-Za-z_]\w*)|(?P<pipe>\|))"""
)
_KEYWORDS = frozenset(
    ("block", "break", "continue", "define", "else", "end", "if", "range", "template", "with")
)


class TemplateError(InvalidArgument):
    """A text whose placeholders cannot be understood or filled."""

    def __init__(self, why: str) -> None:
        super().__init__(f"template: expansion: {why}")


def expand(
    text: str, context: Mapping[str, Any], functions: Mapping[str, Function] | None = None
) -> str:
    """Return a text with its placeholders filled from nested maps of texts.

    Errors:  TemplateError for what is no placeholder, or speaks of what is not there.
    """
    parts: list[str] = []
    end, trimming = 0, False
    for action in _ACTION.finditer(text):
        between = text[end : action.start()]
        between = between.lstrip() if trimming else between
        parts.append(between.rstrip() if "-" in action["left"] else between)
        parts.append(_evaluate(action["body"].strip(), context, functions or {}))
        end, trimming = action.end(), "-" in action["right"]
    rest = text[end:]
    if "{{" in rest:
        raise TemplateError("unclosed action")
    return "".join((*parts, rest.lstrip() if trimming else rest))


def _evaluate(body: str, context: Mapping[str, Any], functions: Mapping[str, Function]) -> str:
    if _COMMENT.fullmatch(body):
        return ""
    value: str | None = None
    for command in _commands(body):
        value = _run(command, value, context, functions)
    assert value is not None
    return value


def _commands(body: str) -> list[list[tuple[str, str]]]:
    """Return a pipe's commands, each a list of (kind, text)."""
    commands: list[list[tuple[str, str]]] = [[]]
    place = 0
    while place < len(body):
        token = _TOKEN.match(body, place)
        if token is None:
            raise TemplateError(f"unexpected {json.dumps(body[place:].strip())} in command")
        kind = str(token.lastgroup)
        if kind == "pipe":
            commands.append([])
        else:
            commands[-1].append((kind, token[kind]))
        place = token.end()
    if not all(commands):
        raise TemplateError("missing value for command")
    return commands


def _run(
    command: list[tuple[str, str]],
    piped: str | None,
    context: Mapping[str, Any],
    functions: Mapping[str, Function],
) -> str:
    (kind, text), *rest = command
    if kind == "name":
        return _call(text, [*rest, *_literal(piped)], context, functions)
    if rest or piped is not None:
        raise TemplateError(f"can't give argument to non-function {text}")
    value = _operand(kind, text, context)
    return value if isinstance(value, str) else "map[...]"


def _literal(piped: str | None) -> list[tuple[str, str]]:
    return [] if piped is None else [("quoted", json.dumps(piped))]


def _call(
    name: str,
    arguments: list[tuple[str, str]],
    context: Mapping[str, Any],
    functions: Mapping[str, Function],
) -> str:
    if name in _KEYWORDS:
        raise TemplateError(f"{{{{{name}}}}} is not supported here")
    values = [_operand(kind, text, context) for kind, text in arguments]
    if name == "index":
        return _index(values)
    function = functions.get(name)
    if function is None:
        raise TemplateError(f"function {json.dumps(name)} not defined")
    if not all(isinstance(value, str) for value in values):
        raise TemplateError(f"wrong type of argument for {name}")
    try:
        return function(*values)
    except TypeError as error:
        raise TemplateError(f"wrong number of args for {name}") from error


def _index(values: list[Any]) -> str:
    value: Any = values[0] if values else None
    for key in values[1:]:
        value = value.get(key, "") if isinstance(value, Mapping) else None
    if not isinstance(value, str):
        raise TemplateError("error calling index: can't index this")
    return value


def _operand(kind: str, text: str, context: Mapping[str, Any]) -> Any:
    match kind:
        case "field":
            return _field(text, context)
        case "quoted":
            return _unquoted(text)
        case "raw":
            return text[1:-1]
        case "number":
            return text
        case _:
            raise TemplateError(f"function {json.dumps(text)} not defined")


def _unquoted(text: str) -> str:
    try:
        value: str = json.loads(text)
    except ValueError as error:
        raise TemplateError(f"bad string literal {text}") from error
    return value


def _field(path: str, context: Mapping[str, Any]) -> Any:
    value: Any = context
    *parents, last = path.removeprefix(".").split(".")
    for name in (*parents, last):
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, Mapping) and parents and parents[-1] == "Labels" and name == last:
            return NO_VALUE
        else:
            raise TemplateError(f"can't evaluate field {name} of <{path}>")
    return value
