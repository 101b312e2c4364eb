"""A video file, written as a stream: frames as H.264, and packets of sound as they are."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from src.data.images import Pixels
from src.system.errors import UserError
from src.translation.video.film import ACCURATE, BT709, Film, av
from src.translation.video.names import KEPT

QUALITY = {"crf": "16", "preset": "medium", "bf": "0", "threads": "1", "mbtree": "0"}
"""libx264: visually lossless. No frames out of order, so that times stay as they are. One thread and no macroblock
tree, for with either two runs differed by bits now and then."""
_LIMITED = 1  # range of values, in FFmpeg's numbers


class Writer:
    """An open video file of the times and the sound of another.

    Args:
        path: to write to.
        suffix: of the container.
        film: the source.
        height: of the frames; an odd one is written with its last row twice, as 4:2:0 has no odd sides.
        width: likewise.

    Raises UserError if the container takes none of the source's kinds of sound, and OSError if it cannot be written.
    """

    def __init__(self, path: Path, suffix: str, film: Film, *, height: int, width: int) -> None:
        self._film, self._path = film, path
        self._missing = (height % 2, width % 2)
        try:
            self._container: Any = av.open(
                str(path.resolve()), "w", format=KEPT[suffix], options={"fflags": "+bitexact"}
            )
        except av.FFmpegError as error:
            raise _os_error(error) from error
        try:
            self._video = self._video_stream(height + height % 2, width + width % 2)
            self._sound = {stream.index: self._sound_stream(stream, suffix) for stream in film.sound}
        except BaseException:
            self._container.close()
            raise

    def finish(self) -> None:
        """Write what is still to be written, to the disk."""
        self._mux(self._video.encode(None))
        try:
            self._container.close()
        except av.FFmpegError as error:
            raise _os_error(error) from error
        with self._path.open("rb") as file:
            os.fsync(file.fileno())

    def close(self) -> None:
        """Finished or not."""
        with suppress(av.FFmpegError):  # the first mistake was said
            self._container.close()

    def frame(self, pixels: Pixels, time: int, duration: int) -> None:
        """The next one, with its time in the source's units."""
        rows, columns = self._missing
        padded = np.pad(pixels, ((0, rows), (0, columns), (0, 0)), mode="edge") if rows or columns else pixels
        rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), format="rgb24")
        frame = rgb.reformat(
            format="yuv420p",
            dst_colorspace=BT709,
            dst_color_range=_LIMITED,
            interpolation=ACCURATE,
            threads=1,
        )
        frame.pts, frame.time_base, frame.duration = time, self._film.time_base, duration
        self._mux(self._video.encode(frame))

    def sound(self, packet: Any) -> None:
        """A packet of the source's."""
        packet.stream = self._sound[packet.stream.index]
        self._mux([packet])

    def _mux(self, packets: list[Any]) -> None:
        try:
            for packet in packets:
                self._container.mux(packet)
        except av.FFmpegError as error:
            raise _os_error(error) from error

    def _video_stream(self, height: int, width: int) -> Any:
        try:
            stream = self._container.add_stream("libx264", rate=self._film.rate, options=QUALITY)
        except (av.FFmpegError, ValueError) as error:
            raise UserError(f"{self._film.path}: this PyAV has no H.264 encoder; install its usual wheel") from error
        context = stream.codec_context
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.time_base = context.time_base = self._film.time_base
        # BT.709 of limited range, and said so
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 1, 1, 1, _LIMITED
        aspect = self._film.pixel_aspect
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        return stream

    def _sound_stream(self, stream: Any, suffix: str) -> Any:
        try:
            copy = self._container.add_stream_from_template(stream)
        except ValueError as error:
            raise UserError(
                f"{self._film.path}: its sound does not go into a {suffix} file; convert to .mkv first"
            ) from error
        if "language" in stream.metadata:
            copy.metadata["language"] = stream.metadata["language"]
        return copy


def _os_error(error: Any) -> OSError:
    return OSError(error.errno, error.strerror)
