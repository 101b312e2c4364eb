"""Small films for tests, made with PyAV."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from src.data.images import Pixels

TICK = Fraction(1, 1000)


def moving(count: int, height: int = 48, width: int = 64) -> list[Pixels]:
    """Smooth frames, which a codec keeps well: a gradient that moves."""
    rows, columns = np.mgrid[:height, :width]
    return [
        np.stack(
            [(columns * 3 + 4 * n) % 256 // 2 + 60, 200 - rows * 2, np.full_like(rows, 40 + 2 * n)], axis=-1
        ).astype(np.uint8)
        for n in range(count)
    ]


def write(
    path: Path,
    frames: Sequence[Pixels],
    *,
    times: Sequence[int] | None = None,
    codec: str = "libx264",
    form: str = "yuv420p",
    sound: str | None = "aac",
    container: str | None = None,
    context: dict[str, Any] | None = None,
    colours: dict[str, Any] | None = None,
) -> Path:
    """A film of the frames, and of a tone as long.

    Args:
        path: to write.
        frames: [H, W, 3].
        times: of the frames in milliseconds; 25 a second by default.
        codec: of the video.
        form: pixel format.
        sound: codec of the sound; None for a silent film.
        container: FFmpeg's name of the format; by default the suffix tells.
        context: attributes of the video's codec.
        colours: arguments of the conversion to the pixel format.
    """
    times = [40 * number for number in range(len(frames))] if times is None else times
    options = {"qp": "4"} if codec == "libx264" else {}
    with av.open(str(path), "w", format=container) as film:
        video = film.add_stream(codec, rate=25, options=options)
        video.height, video.width, _ = frames[0].shape
        video.pix_fmt = form
        video.time_base = video.codec_context.time_base = TICK
        for key, value in (context or {}).items():
            setattr(video.codec_context, key, value)
        tone = film.add_stream(sound, rate=48000) if sound else None
        if tone is not None:
            tone.layout = "mono"
        for pixels, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=form, **(colours or {}))
            frame.pts, frame.time_base = time, TICK
            film.mux(video.encode(frame))
        film.mux(video.encode(None))
        if tone is not None:
            seconds = times[-1] / 1000 + 0.04
            wave = (8000 * np.sin(np.arange(int(48000 * seconds)) * 2 * np.pi * 440 / 48000)).astype(np.int16)
            part = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
            part.sample_rate, part.pts, part.time_base = 48000, 0, Fraction(1, 48000)
            for resampled in av.AudioResampler(format=tone.format, layout="mono", rate=48000).resample(part):
                film.mux(tone.encode(resampled))
            film.mux(tone.encode(None))
    return path


def read(path: Path) -> tuple[list[Pixels], list[Fraction]]:
    """Frames as RGB, by FFmpeg's own conversion, and their times in seconds."""
    with av.open(str(path)) as film:
        frames = list(film.decode(video=0))
        times = [frame.pts * Fraction(frame.time_base.numerator, frame.time_base.denominator) for frame in frames]
        return [frame.to_ndarray(format="rgb24") for frame in frames], times


def packets(path: Path) -> list[tuple[bytes, Fraction]]:
    """Of the first stream of sound: content and time."""
    with av.open(str(path)) as film:
        return [
            (bytes(packet), packet.pts * Fraction(packet.time_base.numerator, packet.time_base.denominator))
            for packet in film.demux(audio=0)
            if packet.size
        ]
