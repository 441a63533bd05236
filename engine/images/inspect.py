"""Show all of one image."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from api.errors import NotFound
from api.references import parse_normalized
from api.types.containers import ContainerConfig, DriverData
from api.types.images import ImageConfig, ImageInspect, ImageMetadata, RootFS
from engine.core.manifest import Platform
from engine.core.platform import fits, write_platform
from engine.core.timestamps import format_utc
from engine.images.env import ImagesEnv
from engine.images.manifests import summaries
from engine.images.record import ImageRecord

_SPEC_CONFIG_SINCE = (1, 50)
_VIRTUAL_BEFORE = (1, 44)
_CONTAINER_BEFORE = (1, 45)
_ZERO_TIME = "0001-01-01T00:00:00Z"


def inspect(
    env: ImagesEnv,
    ref: str,
    *,
    version: tuple[int, int],
    platform: Platform | None = None,
    manifests: bool = False,
) -> ImageInspect:
    """Return an image as the API shows it to clients of a version.

    With `manifests` what is here of its manifest is shown too.

    Errors:  NoSuchImage; NotFound when it is for another platform than asked for.
    """
    image = env.store.resolve(ref)
    check_platform(image, ref, *filter(None, [platform]))
    names = [parse_normalized(each) for each in env.store.references(image.id)]
    old = version < _CONTAINER_BEFORE
    return ImageInspect(
        Id=image.id,
        RepoTags=[each.familiar for each in names if each.tag and not each.digest],
        RepoDigests=[each.familiar for each in names if each.digest],
        Comment=image.comment,
        Created=image.created or UNSET,
        Author=image.author,
        Config=image.config if version < _SPEC_CONFIG_SINCE else _spec_config(image.config),
        Architecture=image.architecture,
        Variant=image.variant or UNSET,
        Os=image.os,
        OsVersion=image.os_version or UNSET,
        Size=image.size,
        GraphDriver=_driver(env, image),
        RootFS=RootFS("layers", image.diff_ids or UNSET),
        Metadata=ImageMetadata(_tag_time(image)),
        Parent="" if version < _SPEC_CONFIG_SINCE else UNSET,
        DockerVersion="" if version < _SPEC_CONFIG_SINCE else UNSET,
        VirtualSize=image.size if version < _VIRTUAL_BEFORE else UNSET,
        Container="" if old else UNSET,
        ContainerConfig=ContainerConfig() if old else UNSET,
        Manifests=summaries(env, image) if manifests else UNSET,
    )


def check_platform(image: ImageRecord, ref: str, *platforms: Platform) -> None:
    """Refuse an image that is for none of the platforms asked for. Errors: NotFound."""
    has = Platform(os=image.os, architecture=image.architecture, variant=image.variant)
    if platforms and not any(fits(has, each) for each in platforms):
        wanted = ", ".join(map(write_platform, platforms))
        raise NotFound(
            f"image with reference {ref} was found but its platform ({write_platform(has)}) does "
            f"not match the specified platform ({wanted})"
        )


def _spec_config(config: ContainerConfig) -> ImageConfig:
    """Return the fields that the OCI image spec and Docker's extension of it have."""
    kept = {
        name: value
        for name in ImageConfig.__struct_fields__
        if (value := getattr(config, name)) is not UNSET
    }
    return ImageConfig(**kept)


def _driver(env: ImagesEnv, image: ImageRecord) -> DriverData:
    """Return where the layers are: the top one is the image's own, the rest below it."""
    data = env.snapshotter.driver_data("", image.chain_ids)
    lower = data["LowerDir"].split(":") if image.chain_ids else []
    shown = {"UpperDir": lower[0]} if lower else {}
    if lower[1:]:
        shown["LowerDir"] = ":".join(lower[1:])
    return DriverData("overlay2", shown)


def _tag_time(image: ImageRecord) -> str | UnsetType:
    if not image.tagged_ns:
        return _ZERO_TIME
    return f"{format_utc(image.tagged_ns)}Z"
