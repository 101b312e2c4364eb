"""A video file, read as a stream: upright RGB frames with their times, and the packets of its sound, untouched."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from src.data.images import LARGEST, Pixels
from src.system import packages
from src.system.errors import UserError
from src.translation.video.turning import display_matrix, upright

try:
    import av as _av
except ImportError:
    _av = None  # type: ignore[assignment]

av: Any = _av
"""PyAV; None without the extra `video`."""

DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts"
"""What a file may be, whatever it is called: no playlist, which would lead to other files or into the network."""
LACKING = 0.25
"""Seconds a video may end before the time its header tells."""
BT709, BT601, SMPTE240M, BT2020 = 1, 5, 7, 9
_MATRICES = {1: BT709, 5: BT601, 6: BT601, 7: SMPTE240M, 9: BT2020, 10: BT2020}
"""FFmpeg's numbers of colour matrices: of a stream's, and swscale's own."""
_HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}
_HIGH = 720  # from this height on, what names no matrix is BT.709, else BT.601, as players take it
_MATROSKA, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"  # first bytes of a file, and of all but its header
ACCURATE = 0x4 | 0x2000 | 0x40000 | 0x80000
"""swscale: bicubic, full chroma, accurate rounding, the same bits everywhere."""


@dataclass(frozen=True)
class DecodedFrame:
    """A decoded frame.

    Attributes:
        pixels: upright, as a player shows it.
        time: when it is shown, in units of the film's time base.
        duration: in the same units; 0 where the file does not tell.
    """

    pixels: Pixels
    time: int
    duration: int


class Film:
    """An open video file.

    Args:
        path: of the file.

    Raises UserError, here and while it is read, if the file cannot be read to its end, or is no video that can be
    translated faithfully.
    """

    def __init__(self, path: Path) -> None:
        packages.demand(f"{path}: a video", "av", extra="video")
        self.path = path
        self._turned = False
        self._size: tuple[int, int] | None = None
        self._times: deque[int] = deque()
        options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
        try:
            self._container: Any = av.open(str(path.resolve()), options=options)
        except Exception as error:  # a demuxer that is given garbage raises whatever it stumbles over
            raise self._unreadable(error) from error
        try:
            self.video, self.sound = self._streams()
        except UserError:
            self._container.close()
            raise

    def close(self) -> None:
        """Whatever was read."""
        self._container.close()

    @property
    def time_base(self) -> Fraction:
        """Seconds of a unit of time."""
        return _fraction(self.video.time_base) or Fraction(1, 1000)

    @property
    def rate(self) -> Fraction:
        """Frames a second, on average."""
        return _fraction(self.video.average_rate) or _fraction(self.video.guessed_rate) or Fraction(25)

    @property
    def frames(self) -> int | None:
        """Number of frames: as the header tells, or as follows from duration and rate."""
        if self.video.frames:
            return int(self.video.frames)
        return round((self._end - self._start) * self.rate) if self._container.duration else None

    @property
    def pixel_aspect(self) -> Fraction | None:
        """Width over height of a pixel of an upright frame; None for square ones."""
        aspect = _fraction(self.video.codec_context.sample_aspect_ratio)
        return None if aspect is None or aspect == 1 else 1 / aspect if self._turned else aspect

    @property
    def unknown(self) -> int:
        """Streams of sound whose kind is not known here, which `sound` is without: a phone's own beside the usual."""
        return len(self._container.streams.audio) - len(self.sound)

    def length(self) -> tuple[int, Fraction]:
        """How many frames it holds and how many seconds they last, as its packets tell, whatever the header says.

        Nothing is decoded, and nothing can be read after it.
        """
        count, times = 0, [Fraction(0)]
        try:
            for packet in self._container.demux(self.video):
                if packet.pts is not None:
                    count += 1
                    times += [packet.pts * self.time_base, (packet.pts + (packet.duration or 0)) * self.time_base]
        except (av.FFmpegError, ValueError) as error:
            raise self._unreadable(error) from error
        return count, max(times) - min(times[1:] or times)

    def read(self) -> Iterator[Any]:
        """Pictures and packets of sound (av.Packet), in the order of the file."""
        end, last = Fraction(0), None
        try:
            for packet in self._container.demux():
                if packet.is_corrupt:
                    raise UserError(self._broken(end, "a packet is damaged"))
                if packet.pts is not None:
                    end = max(end, (packet.pts + (packet.duration or 0)) * _fraction(packet.time_base))
                if packet.stream.index == self.video.index:
                    if self._untimed and packet.dts is not None:
                        self._times.append(packet.dts)
                    for frame in packet.decode():
                        picture = self._picture(frame)
                        if last is not None and picture.time <= last:
                            raise UserError(self._broken(end, "the times of its frames do not increase"))
                        last = picture.time
                        yield picture
                elif packet.dts is not None and any(packet.stream.index == one.index for one in self.sound):
                    yield packet
        except (av.FFmpegError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(self._broken(end, _reason(error))) from error
        if last is None:
            raise UserError(f"{self.path}: holds no frame that can be decoded; is it cut short?")
        if _lacks_its_end(self.path):
            raise UserError(self._broken(end, "the rest is missing"))
        lacking = self._end - end
        if lacking > LACKING:
            raise UserError(self._broken(end, f"{float(lacking):.1f} seconds before the end its header tells"))

    @property
    def _start(self) -> Fraction:
        return Fraction(self._container.start_time or 0, av.time_base)

    @property
    def _end(self) -> Fraction:
        """By the header, whose seconds Matroska counts from 0, as FFmpeg writes it, and not from the first frame."""
        begin = Fraction(0) if "matroska" in self._container.format.name else self._start
        return begin + Fraction(self._container.duration or 0, av.time_base)

    @property
    def _untimed(self) -> bool:
        """Whether the file tells times of decoding alone, which FFmpeg mistakes for those of frames: H.264 in AVI.

        Frames then take the times of the packets, each in their own order.
        """
        return bool(self._container.format.name == "avi" and self.video.codec_context.name == "h264")

    def _streams(self) -> tuple[Any, list[Any]]:
        covers = av.stream.Disposition.attached_pic
        videos = [stream for stream in self._container.streams.video if not stream.disposition & covers]
        if not videos:
            raise UserError(f"{self.path}: holds no video stream; name a video, or an image")
        video = videos[0]
        if video.codec_context is None:
            raise UserError(f"{self.path}: its codec is not known here; convert it to H.264 first")
        self._check_size(video.codec_context.width, video.codec_context.height)
        curve = _HIGH_DYNAMIC_RANGE.get(int(video.codec_context.color_trc or 0))
        if curve is not None:
            raise UserError(f"{self.path}: has a high dynamic range ({curve}); convert it to BT.709 first")
        video.thread_type = "SLICE"  # several frames at once would lose the mark of a damaged one
        return video, [sound for sound in self._container.streams.audio if sound.codec_context is not None]

    def _picture(self, frame: Any) -> DecodedFrame:
        if frame.is_corrupt:
            raise ValueError("a frame is damaged")
        time = self._times.popleft() if self._times else frame.pts
        if time is None:
            raise ValueError("a frame has no time")
        self._check_size(frame.width, frame.height)
        self._size = self._size or (frame.width, frame.height)
        if (frame.width, frame.height) != self._size:
            raise ValueError(f"its size changes to {frame.width}x{frame.height}")
        colours = _MATRICES.get(int(frame.colorspace), BT709 if frame.height >= _HIGH else BT601)
        pixels = frame.to_ndarray(format="rgb24", src_colorspace=colours, interpolation=ACCURATE, threads=1)
        matrix = display_matrix(frame)
        self._turned = matrix is not None and matrix[0] == 0
        return DecodedFrame(upright(pixels, matrix), int(time), int(frame.duration or 0))

    def _check_size(self, width: int, height: int) -> None:
        if not 0 < width * height <= LARGEST:
            raise UserError(f"{self.path}: frames of {width}x{height} are more than {LARGEST // 10**6} megapixels")

    def _unreadable(self, error: Exception) -> UserError:
        if isinstance(error, FileNotFoundError):
            return UserError(f"{self.path}: the video is gone; was the folder changed meanwhile?")
        return UserError(f"{self.path}: cannot be read as a video ({_reason(error)}); mend or remove the file")

    def _broken(self, end: Fraction, reason: str) -> str:
        return f"{self.path}: broken at {float(end):.1f} s ({reason}); mend it, or cut it there"


def _lacks_its_end(path: Path) -> bool:
    """Whether a Matroska file is shorter than the length its segment tells (RFC 8794, RFC 9559).

    FFmpeg takes the end of a file cut short for its end. A recording that was never finished tells no length.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    place = head.find(_SEGMENT) + len(_SEGMENT)
    if not head.startswith(_MATROSKA) or place < len(_SEGMENT):
        return False
    size = 9 - head[place].bit_length()  # bytes of a number, which its leading zeros tell
    unknown = (1 << 7 * size) - 1
    length = int.from_bytes(head[place : place + size], "big") & unknown
    return length != unknown and place + size + length > path.stat().st_size


def _fraction(number: Any) -> Fraction | None:
    """PyAV's rational numbers, of which some versions have None for what is not known, and others 0."""
    return Fraction(number.numerator, number.denominator) if number else None


def _reason(error: Exception) -> str:
    strerror = getattr(error, "strerror", None)
    return str(strerror or str(error).splitlines()[0] if str(error) else type(error).__name__)
