"""Placeholders of services: what is filled, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from api.container_templates import TemplateContext, expand_container
from api.templates import TemplateError, expand
from api.types.container_spec import ContainerSpec
from api.types.containers import Mount, VolumeDriverConfig, VolumeOptions

CONTEXT = {
    "Service": {"Name": "web", "Labels": {"tier": "front", "a.b/c": "odd"}},
    "Task": {"Slot": "3"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("{{.Service.Name}}-{{.Task.Slot}}", "web-3"),
        ("{{ .Service.Name }}", "web"),
        (
            "a {{- .Task.Slot -}} b",
            "a3b",
        ),
        ("a  {{- .Task.Slot }} b", "a3 b"),
        ('{{index .Service.Labels "a.b/c"}}', "odd"),
        ('{{index .Service.Labels "none"}}', ""),
        ("{{.Service.Labels.tier}}", "front"),
        ("{{.Service.Labels.none}}", "<no value>"),
        ('{{"quoted \\" text"}}', 'quoted " text'),
        ("{{`raw`}}", "raw"),
        ("{{42}}", "42"),
        ("{{/* a comment */}}x", "x"),
        ("{{.Service.Name | up}}", "WEB"),
        ("{{ up (x) }}", None),
        ("}} alone", "}} alone"),
    ],
)
def test_placeholders_are_filled(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(TemplateError):
            expand(text, CONTEXT, {"up": str.upper})
        return

    assert expected == expand(text, CONTEXT, {"up": str.upper})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{{.Service.Nam}}", "can't evaluate field Nam"),
        ("{{.Foo}}", "can't evaluate field Foo"),
        ("{{", "unclosed action"),
        ("{{}}", "missing value for command"),
        ("{{.Task.Slot |}}", "missing value for command"),
        ("{{if .Task.Slot}}x{{end}}", "not supported here"),
        ("{{shout .Task.Slot}}", 'function "shout" not defined'),
        ("{{.Task.Slot .Task.Slot}}", "can't give argument to non-function"),
        ("{{index .Service}}", "can't index this"),
        ("{{$x}}", "unexpected"),
        ("{{.Task.Slot | up .Task.Slot}}", "wrong number of args"),
    ],
)
def test_what_cannot_be_filled_is_refused(text: str, why: str) -> None:
    with pytest.raises(TemplateError, match=why):
        expand(text, CONTEXT, {"up": lambda text: text.upper()})


@given(st.text(alphabet='{}.|"`- ServiceName\\/*', max_size=40))
def test_any_text_is_filled_or_refused(text: str) -> None:
    try:
        expand(text, CONTEXT)
    except TemplateError:
        return


@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_placeholders_stays(text: str) -> None:
    assert text == expand(text, CONTEXT)


def test_hostname_environment_and_mounts_hold_placeholders() -> None:
    context = TemplateContext(
        service_id="s1",
        service_name="web",
        node_id="n1",
        node_hostname="box",
        node_os="linux",
        node_architecture="x86_64",
        task_id="t1",
        task_name="web.1.t1",
        task_slot="1",
    )
    options = VolumeOptions(
        Labels={"of": "{{.Task.Name}}"},
        DriverConfig=VolumeDriverConfig(Options={"host": "{{.Node.Hostname}}"}),
    )
    spec = ContainerSpec(
        Image="{{.Service.Name}}",
        Hostname="{{.Node.Hostname}}-{{.Node.Platform.OS}}",
        Env=["ID={{.Task.ID}}", "X=1"],
        Mounts=[
            Mount(Type="volume", Source="d-{{.Task.Slot}}", Target="/d", VolumeOptions=options),
            Mount(Type="tmpfs", Target="/{{.Node.ID}}"),
        ],
    )

    filled = expand_container(spec, context)

    assert ("{{.Service.Name}}", "box-linux") == (filled.Image, filled.Hostname)
    assert ["ID=t1", "X=1"] == filled.Env
    volume, tmpfs = filled.Mounts
    assert ("d-1", UNSET, "/n1") == (volume.Source, tmpfs.Source, tmpfs.Target)
    assert isinstance(volume.VolumeOptions, VolumeOptions)
    assert {"of": "web.1.t1"} == volume.VolumeOptions.Labels
    assert VolumeDriverConfig(Options={"host": "box"}) == volume.VolumeOptions.DriverConfig
