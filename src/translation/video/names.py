"""Which files are videos by their names, and what a translated one is called."""

from pathlib import Path

KEPT = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""Containers that take H.264 and what sound usually comes in them: suffix and FFmpeg's name of the format."""
ELSE = ".mkv"
"""What any other becomes: Matroska holds every kind of sound."""
VIDEOS = (*KEPT, ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts")


def target_suffix(path: Path) -> str:
    """File name of the translated video."""
    suffix = path.suffix.lower()
    return suffix if suffix in KEPT else ELSE
