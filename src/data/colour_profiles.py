"""From the colours of an embedded ICC profile to sRGB, which networks, scores and screens take pixels for."""

import sys
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

GREY = ("1", "L", "LA", "La")
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Pillow's name for the pixels that a profile of each colour space takes."""


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """An 8-bit picture as RGB, in sRGB; without a profile, or with one that cannot be used, its colours are sRGB's.

    A profile that cannot be used (broken, or of other channels than the picture's) is said once a process, on stderr.

    Args:
        image: grey, RGB or CMYK, with alpha or without, which is dropped; or of a palette.
        profile: as it was embedded in the file.
    """
    conversion = None if not profile else _conversion(profile, _kind(image))
    if isinstance(conversion, str):
        _say(conversion)
    elif conversion is not None:
        converted = ImageCms.applyTransform(image.convert(conversion.input_mode), conversion)
        assert converted is not None
        return converted
    return image.convert("RGB")


def fault(image: Image.Image, profile: bytes | None) -> str | None:
    """Why a picture's profile cannot be used; None if it can, or if there is none."""
    conversion = None if not profile else _conversion(profile, _kind(image))
    return conversion if isinstance(conversion, str) else None


def _kind(image: Image.Image) -> str:
    if image.mode in GREY or image.mode.startswith("I"):
        return "GRAY"
    return "CMYK" if image.mode == "CMYK" else "RGB"


@lru_cache(maxsize=64)
def _conversion(profile: bytes, kind: str) -> ImageCms.ImageCmsTransform | str | None:
    """What brings pixels to sRGB; None where they are in sRGB already, and the reason where none can be had."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        # a grey picture may carry the profile of an RGB space, whose greys it then means
        if space not in _MODES or (space != kind and not (kind == "GRAY" and space == "RGB")):
            return f"a profile of {space} in a picture of {kind}"
        transform = ImageCms.buildTransform(
            source, _srgb(), _MODES[space], "RGB", ImageCms.Intent.PERCEPTUAL, ImageCms.Flags.BLACKPOINTCOMPENSATION
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        return " ".join(str(error).split())
    return None if space == "RGB" and _changes_nothing(transform) else transform


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether it moves no colour of a grid by more than a level: files tagged as sRGB keep their very pixels."""
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(len(levels) ** 2, len(levels), 3)
    moved = ImageCms.applyTransform(Image.fromarray(grid), transform)
    assert moved is not None
    return int(np.abs(np.asarray(moved, dtype=np.int16) - grid).max()) <= 1


@lru_cache(maxsize=64)
def _say(reason: str) -> None:
    print(f"colour profiles that cannot be used ({reason}): read as sRGB; src.data.check names them", file=sys.stderr)
