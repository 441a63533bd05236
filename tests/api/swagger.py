"""Compare a JSON value with a schema of the reference (Swagger 2.0), as far as Docker keeps to it.

Go leaves empty lists and maps null, so null passes for both; for other types the schema says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


class Reference:
    """The whole document; `complaints` compares."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def schema(self, path: str, method: str, status: int) -> dict[str, Any] | None:
        """Return the schema of an answer's body; None where it has none."""
        found = self._document["paths"][path][method.lower()]["responses"].get(status, {})
        schema: dict[str, Any] | None = self._resolve(found).get("schema")
        return schema

    def complaints(self, value: Any, schema: dict[str, Any], where: str = "$") -> Iterator[str]:
        """Yield what is wrong with a value, each with its place."""
        schema = self._resolve(schema)
        for part in schema.get("allOf", ()):
            yield from self.complaints(value, part, where)
        kind = schema.get("type", "object" if "properties" in schema else "")
        if value is None:
            if kind in ("string", "integer", "number", "boolean") and not schema.get("x-nullable"):
                yield f"{where}: null is no {kind}"
            return
        if kind and not _is_a(value, kind):
            yield f"{where}: {value!r:.60} is no {kind}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{where}: {value!r:.60} is none of {schema['enum']}"
        if isinstance(value, dict):
            yield from self._of_object(value, schema, where)
        if isinstance(value, list) and "items" in schema:
            for index, item in enumerate(value):
                yield from self.complaints(item, schema["items"], f"{where}[{index}]")

    def _of_object(
        self, value: dict[str, Any], schema: dict[str, Any], where: str
    ) -> Iterator[str]:
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{where}.{name}: missing"
        known = schema.get("properties", {})
        others = schema.get("additionalProperties")
        for name, item in value.items():
            inner = known.get(name, others)
            if isinstance(inner, dict):
                yield from self.complaints(item, inner, f"{where}.{name}")

    def _resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            found: Any = self._document
            for step in schema["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            schema = found
        return schema


def _is_a(value: Any, kind: str) -> bool:
    if isinstance(value, bool) and kind != "boolean":
        return False
    return isinstance(value, _KINDS[kind])
