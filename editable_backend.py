"""What pip asks of this project: setuptools' editable install, which takes dependencies alone, and no other.

The code imports itself as `src`, and runs name its classes so. A wheel would put a package of that name into
site-packages, in the way of every other `src`, or hold nothing that can be imported.
"""

import sys
from typing import NoReturn

from setuptools.build_meta import (
    build_editable,
    get_requires_for_build_editable,
    prepare_metadata_for_build_editable,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "prepare_metadata_for_build_editable",
]


def build_wheel(
    wheel_directory: str, config_settings: object = None, metadata_directory: str | None = None
) -> NoReturn:
    """Refuse `pip install .` and `pip wheel .`, before a dependency is fetched: pip asks for the metadata first."""
    _refuse()


def build_sdist(sdist_directory: str, config_settings: object = None) -> NoReturn:
    """Refuse a source archive, from which only a wheel could be made."""
    _refuse()


def _refuse() -> NoReturn:
    sys.exit(
        "attention-cut runs from a checkout, as its code is the package `src`, which has no place in site-packages; "
        "in a checkout: pip install -e . (then python -m src.translate, or from src.translation.translator import "
        "Translator)"
    )
