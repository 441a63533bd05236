"""Which mounts a container gets, from the five ways of asking for them.

Binds ("src:dst:opts"), mounts (typed), tmpfs, the volumes of image and request, and other
containers' mounts. Source of rules and words: Engine API 1.56 and the reference's answers.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from api.errors import InvalidArgument
from api.types.containers import HostConfig, Mount, TmpfsOptions
from engine.core.volume import check_name

_PROPAGATION = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})
_MODES: Mapping[str, str] = {
    "rw": "access",
    "ro": "access",
    "z": "label",
    "Z": "label",
    "nocopy": "copy",
    "consistent": "consistency",
    "cached": "consistency",
    "delegated": "consistency",
    "default": "consistency",
    **dict.fromkeys(_PROPAGATION, "propagation"),
}


class MountRecord(Struct, frozen=True, kw_only=True):
    """A mount of a container, resolved at create.

    `kind` is bind, volume, tmpfs or image; `source` a host path (bind), an image's reference, or
    ""; `volume` the volume's name or "" (anonymous, until it is made); `subpath` inside the volume
    or image; `options` for tmpfs (mount(8) words). `image_id` and `chain_ids` (base first) are
    what the reference meant at create. A read-only mount is so with all mounts inside it where the
    kernel can (5.12): `shallow_read_only` does without, `deep_read_only` insists. `copy_up` tells
    that image content goes into the volume while it is empty. `make_source` tells that a missing
    host directory is made, as -v does. A hidden one was asked for by no client, and is shown to
    none.
    """

    kind: str
    destination: str
    source: str = ""
    volume: str = ""
    driver: str = ""
    subpath: str = ""
    image_id: str = ""
    chain_ids: list[str] = field(default_factory=list)
    read_only: bool = False
    shallow_read_only: bool = False
    deep_read_only: bool = False
    non_recursive: bool = False
    propagation: str = ""
    mode: str = ""
    options: list[str] = field(default_factory=list)
    copy_up: bool = False
    anonymous: bool = False
    make_source: bool = False
    volume_labels: dict[str, str] | None = None
    volume_options: dict[str, str] | None = None
    hidden: bool = False


class DuplicateMount(InvalidArgument):
    """Two mounts on one place."""

    def __init__(self, destination: str) -> None:
        super().__init__(f"Duplicate mount point: {destination}")


def plan_mounts(
    host_config: HostConfig,
    volumes: Mapping[str, Any] | None,
    others: Mapping[str, Sequence[MountRecord]],
) -> list[MountRecord]:
    """Return the mounts of a container, outer before inner.

    `volumes` are the merged configuration's; `others` the mounts of the containers named in
    VolumesFrom, by the name as given there. What is asked for itself hides what another container
    has; the volumes of the image only fill places that are still free.
    Errors:  InvalidArgument, DuplicateMount.
    """
    places: dict[str, MountRecord] = {}
    for text in host_config.VolumesFrom or []:
        places.update((each.destination, each) for each in _from_other(text, others))
    asked = [
        *(parse_bind(text, host_config.VolumeDriver) for text in host_config.Binds or []),
        *(parse_mount(mount) for mount in host_config.Mounts or []),
        *(parse_tmpfs(where, how) for where, how in (host_config.Tmpfs or {}).items()),
    ]
    places.update(_without_duplicates(asked))
    for destination in volumes or {}:
        fresh = _anonymous(_absolute(destination, destination), host_config.VolumeDriver)
        places.setdefault(fresh.destination, fresh)
    return sorted(places.values(), key=lambda each: each.destination.count("/"))


def with_hidden_files(mounts: Sequence[MountRecord], files: Mapping[str, str]) -> list[MountRecord]:
    """Return the mounts with files of the host among them, given by their path in the container.

    Errors:  InvalidArgument for a path that is not absolute, DuplicateMount.
    """
    if not files:
        return list(mounts)
    hidden = [
        MountRecord(
            kind="bind",
            destination=_absolute(destination, destination),
            source=source,
            read_only=True,
            propagation="rprivate",
            hidden=True,
        )
        for destination, source in files.items()
    ]
    places = _without_duplicates([*mounts, *hidden])
    return sorted(places.values(), key=lambda each: each.destination.count("/"))


def parse_bind(text: str, volume_driver: str = "") -> MountRecord:
    """Return the mount of one `Binds` entry: "dst", "src:dst" or "src:dst:mode"."""
    parts = text.split(":")
    if len(parts) == 2 and _is_mode(parts[1]) and not parts[1].startswith("/"):
        raise InvalidArgument(f"invalid volume specification: '{text}'")
    match parts:
        case [destination] if destination:
            return _anonymous(_absolute(destination, text), volume_driver)
        case [source, destination] if source and destination:
            mode = ""
        case [source, destination, mode] if source and destination:
            pass
        case _:
            raise InvalidArgument(f"invalid volume specification: '{text}'")
    return _with_mode(source, destination, mode, volume_driver, text)


def parse_mount(mount: Mount) -> MountRecord:
    """Return the mount of one `Mounts` entry. Errors: InvalidArgument."""
    if not mount.Target:
        raise _bad_mount(mount, "field Target must not be empty")
    if not mount.Target.startswith("/"):
        raise _bad_mount(mount, f"invalid mount path: '{mount.Target}' mount path must be absolute")
    target = _clean(mount.Target)
    if target == "/":
        raise _bad_mount(mount, "invalid specification: destination can't be '/'")
    _check_options(mount)
    match mount.Type:
        case "bind":
            return _parse_bind_mount(mount, target)
        case "volume":
            return _parse_volume_mount(mount, target)
        case "tmpfs":
            if mount.Source:
                raise _bad_mount(mount, "field Source must not be specified")
            return MountRecord(
                kind="tmpfs",
                destination=target,
                read_only=bool(mount.ReadOnly),
                options=_tmpfs_words(mount),
            )
        case "image":
            return _parse_image_mount(mount, target)
        case _:
            raise _bad_mount(mount, "mount type unknown")


def parse_tmpfs(destination: str, options: str) -> MountRecord:
    """Return the mount of one `Tmpfs` entry; options are words of mount(8) with commas."""
    place = _absolute(destination, destination)
    words = [word for word in options.split(",") if word]
    return MountRecord(kind="tmpfs", destination=place, options=words, read_only="ro" in words)


def _parse_bind_mount(mount: Mount, target: str) -> MountRecord:
    source = mount.Source or ""
    if not source:
        raise _bad_mount(mount, "field Source must not be empty")
    if not source.startswith("/"):
        raise _bad_mount(mount, f"invalid mount path: '{source}' mount path must be absolute")
    options = mount.BindOptions or None
    propagation = (options.Propagation if options else "") or ""
    if propagation and propagation not in _PROPAGATION:
        raise _bad_mount(mount, f"invalid propagation mode: {propagation}")
    shallow = bool(options and options.ReadOnlyNonRecursive)
    deep = bool(options and options.ReadOnlyForceRecursive)
    _check_depth(mount, propagation, shallow=shallow, deep=deep)
    return MountRecord(
        kind="bind",
        destination=target,
        source=_clean(source),
        read_only=bool(mount.ReadOnly),
        shallow_read_only=shallow,
        deep_read_only=deep,
        propagation=propagation or "rprivate",
        non_recursive=bool(options and options.NonRecursive),
        make_source=bool(options and options.CreateMountpoint),
    )


def _parse_volume_mount(mount: Mount, target: str) -> MountRecord:
    options = mount.VolumeOptions or None
    name = mount.Source or ""
    subpath = (options.Subpath if options else "") or ""
    if name:
        _check_volume_name(name)
    if subpath and not name:
        raise _bad_mount(mount, "must not set Subpath when using anonymous volumes")
    _check_subpath(mount, subpath)
    driver = (options.DriverConfig if options else None) or None
    return MountRecord(
        kind="volume",
        destination=target,
        volume=name,
        driver=(driver.Name if driver else "") or "local",
        subpath=subpath,
        read_only=bool(mount.ReadOnly),
        mode="z",
        copy_up=not (options and options.NoCopy),
        anonymous=not name,
        volume_labels=(options.Labels if options else None) or None,
        volume_options=(driver.Options if driver else None) or None,
    )


def _check_volume_name(name: str) -> None:
    try:
        check_name(name)
    except InvalidArgument as error:
        raise InvalidArgument(f"create {name}: {error.message}") from error


def _parse_image_mount(mount: Mount, target: str) -> MountRecord:
    if not mount.Source:
        raise _bad_mount(mount, "field Source must not be empty")
    options = mount.ImageOptions or None
    subpath = (options.Subpath if options else "") or ""
    _check_subpath(mount, subpath)
    return MountRecord(
        kind="image",
        destination=target,
        source=mount.Source,
        subpath=subpath,
        read_only=True,
    )


def _check_depth(mount: Mount, propagation: str, *, shallow: bool, deep: bool) -> None:
    if not (shallow or deep):
        return
    if shallow and deep:
        raise _bad_mount(
            mount, "mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive"
        )
    if not mount.ReadOnly:
        name = "ReadOnlyNonRecursive" if shallow else "ReadOnlyForceRecursive"
        raise _bad_mount(mount, f"{name} needs ReadOnly")
    if deep and propagation not in {"", "rprivate"}:
        raise _bad_mount(mount, "ReadOnlyForceRecursive needs the propagation to be rprivate")


def _check_subpath(mount: Mount, subpath: str) -> None:
    if subpath.startswith("/") or ".." in subpath.split("/"):
        raise _bad_mount(mount, f"subpath must be a relative path within the {mount.Type}")
    if "\0" in subpath:
        raise _bad_mount(mount, "a path cannot hold a zero byte")


def _from_other(text: str, others: Mapping[str, Sequence[MountRecord]]) -> list[MountRecord]:
    name, _, mode = text.partition(":")
    if not name:
        raise InvalidArgument("volumes-from specification cannot be an empty string")
    if mode and (not _is_mode(mode) or mode not in {"ro", "rw", "z", "Z", "ro,z", "ro,Z"}):
        raise InvalidArgument(f"invalid mode: {mode}")
    read_only = "ro" in mode.split(",")
    return [
        replace(each, read_only=each.read_only or read_only, copy_up=False)
        for each in others[name]
        if each.kind != "tmpfs"
    ]


def volumes_from_names(host_config: HostConfig) -> list[str]:
    """Return the references of the containers whose mounts are asked for."""
    return [text.partition(":")[0] for text in host_config.VolumesFrom or []]


def _with_mode(source: str, target: str, mode: str, driver: str, text: str) -> MountRecord:
    if not _is_mode(mode):
        raise InvalidArgument(f"invalid mode: {mode}")
    kind = "bind" if source.startswith("/") else "volume"
    destination = _absolute(target, text, f'invalid mount config for type "{kind}": ')
    words = [word for word in mode.split(",") if word]
    propagation = next((word for word in words if word in _PROPAGATION), "")
    if source.startswith("/"):
        if "nocopy" in words:
            raise _foreign_option(text, "bind", "VolumeOptions")
        return MountRecord(
            kind="bind",
            destination=destination,
            source=_clean(source),
            read_only="ro" in words,
            propagation=propagation or "rprivate",
            mode=mode,
            make_source=True,
        )
    if propagation:
        raise _foreign_option(text, "volume", "BindOptions")
    _check_volume_name(source)
    return MountRecord(
        kind="volume",
        destination=destination,
        volume=source,
        driver=driver or "local",
        read_only="ro" in words,
        mode=mode or "z",
        copy_up="nocopy" not in words,
    )


def _is_mode(mode: str) -> bool:
    seen: set[str] = set()
    for word in filter(None, mode.split(",")):
        kind = _MODES.get(word)
        if kind is None or kind in seen:
            return False
        seen.add(kind)
    return True


def _anonymous(destination: str, driver: str) -> MountRecord:
    return MountRecord(
        kind="volume",
        destination=destination,
        driver=driver or "local",
        copy_up=True,
        anonymous=True,
    )


def _foreign_option(text: str, kind: str, field_name: str) -> InvalidArgument:
    return InvalidArgument(
        f"invalid volume specification: '{text}': "
        f'invalid mount config for type "{kind}": field {field_name} must not be specified'
    )


def _absolute(path: str, text: str, why: str = "") -> str:
    if not path.startswith("/"):
        raise InvalidArgument(
            f"invalid volume specification: '{text}': {why}invalid mount path: '{path}' "
            "mount path must be absolute"
        )
    if "\0" in path:
        raise InvalidArgument("invalid mount path: a path cannot hold a zero byte")
    clean = _clean(path)
    if clean == "/":
        raise InvalidArgument(
            f"invalid volume specification: '{text}': {why}invalid specification: "
            "destination can't be '/'"
        )
    return clean


def _clean(path: str) -> str:
    # normpath keeps a leading "//", which POSIX allows and the kernel reads as "/".
    return "/" + posixpath.normpath(path).lstrip("/")


def _without_duplicates(mounts: Iterable[MountRecord]) -> dict[str, MountRecord]:
    places: dict[str, MountRecord] = {}
    for mount in mounts:
        if mount.destination in places:
            raise DuplicateMount(mount.destination)
        places[mount.destination] = mount
    return places


def _check_options(mount: Mount) -> None:
    given = {
        "bind": ("BindOptions", mount.BindOptions),
        "volume": ("VolumeOptions", mount.VolumeOptions),
        "tmpfs": ("TmpfsOptions", mount.TmpfsOptions),
        "image": ("ImageOptions", mount.ImageOptions),
    }
    if mount.Type not in given:
        raise _bad_mount(mount, "mount type unknown")
    for kind, (name, options) in given.items():
        if kind != mount.Type and options:
            raise _bad_mount(mount, f"field {name} must not be specified")
    if "\0" in mount.Target or "\0" in (mount.Source or ""):
        raise _bad_mount(mount, "a path cannot hold a zero byte")


def _tmpfs_words(mount: Mount) -> list[str]:
    options = mount.TmpfsOptions or TmpfsOptions()
    if (options.SizeBytes or 0) < 0:
        raise _bad_mount(mount, "size must not be negative")
    if not 0 <= (options.Mode or 0) <= 0o7777:
        raise _bad_mount(mount, f"invalid mode: {options.Mode}")
    words = []
    if options.SizeBytes:
        words.append(f"size={options.SizeBytes}")
    if options.Mode:
        words.append(f"mode={options.Mode:o}")
    words.extend("=".join(pair) for pair in options.Options or [])
    return words


def _bad_mount(mount: Mount, why: str) -> InvalidArgument:
    return InvalidArgument(f'invalid mount config for type "{mount.Type}": {why}')
