"""The cluster's types have the fields of the reference, spelled as the reference spells them.

The reference (swagger.yaml of the Engine API) is looked for in $SKEP_SWAGGER and beside the
repository; without it there is nothing to compare with.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from msgspec.inspect import ListType, StructType, UnionType, type_info

from api.types.tasks import TaskState

_BESIDE = Path(__file__).parents[5] / "shared" / "docker-api" / "swagger.yaml"
SWAGGER = Path(os.environ.get("SKEP_SWAGGER", _BESIDE))

TYPES = {
    "nodes": ["NodeSpec", "Node"],
    "swarm": ["SwarmSpec", "ClusterInfo", "Swarm", "SwarmInfo", "JoinTokens", "PeerNode"],
    "tasks": ["TaskSpec", "Task"],
    "services": ["ServiceSpec", "Service", "ServiceCreateResponse", "ServiceUpdateResponse"],
    "secrets": ["SecretSpec", "Secret"],
    "configs": ["ConfigSpec", "Config"],
    "cluster_volumes": ["ClusterVolumeSpec", "ClusterVolume"],
    "networks": ["Network", "NetworkStatus", "ServiceInfo", "PeerInfo"],
}

# Where the reference and Docker's own answers differ, the answers count: clients are written in
# Go, whose field names these are. Go ignores case, so "HealthCheck" is "Healthcheck" to it.
ANSWERED_OTHERWISE = (
    "Task.AssignedGenericResources",  # answered as GenericResources
    ".PluginSpec.PluginPrivilege",  # answered as privileges
    "NetworksAttachments[].Network",  # the cluster's form of a network, not the engine's
    ".AccessMode.Secrets",  # fields of the volume that slipped in too deep in the reference
    ".AccessMode.AccessibilityRequirements",
    ".AccessMode.CapacityRange",
    ".AccessMode.Availability",
)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    if not SWAGGER.exists():
        pytest.skip("needs the Engine API's swagger.yaml in $SKEP_SWAGGER")
    with SWAGGER.open() as file:
        loaded: dict[str, Any] = yaml.load(file, Loader=yaml.CSafeLoader)
    return loaded


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in TYPES.items() for name in names]
)
def test_every_field_of_the_reference_is_there(
    document: dict[str, Any], module: str, name: str
) -> None:
    kind = getattr(importlib.import_module(f"api.types.{module}"), name)

    missing = list(_missing(document, document["definitions"][name], type_info(kind), name))

    assert [] == missing


def _missing(document: dict[str, Any], schema: dict[str, Any], kind: Any, where: str) -> list[str]:
    """Return the paths of the schema's properties that a type has no field for."""
    schema = _resolve(document, schema)
    if isinstance(kind, UnionType):
        structs = [part for part in kind.types if isinstance(part, StructType | ListType)]
        return _missing(document, schema, structs[0], where) if structs else []
    if isinstance(kind, ListType) and "items" in schema:
        return _missing(document, schema["items"], kind.item_type, f"{where}[]")
    if not isinstance(kind, StructType):
        return []
    found: list[str] = []
    fields = {field.encode_name.lower(): field.type for field in kind.fields}
    for part in (schema, *schema.get("allOf", ())):
        for name, inner in _resolve(document, part).get("properties", {}).items():
            path = f"{where}.{name}"
            if path.endswith(ANSWERED_OTHERWISE):
                continue
            if name.lower() not in fields:
                found.append(path)
            else:
                found += _missing(document, inner, fields[name.lower()], path)
    return found


def _resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["definitions"][schema["$ref"].rpartition("/")[2]]
    return schema


def test_task_states_are_those_of_the_reference(document: dict[str, Any]) -> None:
    named = set(document["definitions"]["TaskState"]["enum"])

    assert named - {"allocated"} == {state.value for state in TaskState}


def test_schemas_of_all_types_can_be_made_together() -> None:
    """The OpenAPI document names each type; names that come twice must not collide."""
    kinds = [
        getattr(importlib.import_module(f"api.types.{module}"), name)
        for module, names in TYPES.items()
        for name in names
    ]

    schemas, _ = msgspec.json.schema_components(kinds, ref_template="#/x/{name}")

    assert len(kinds) == len(schemas)
