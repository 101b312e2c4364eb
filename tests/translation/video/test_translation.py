"""A video through G: every frame once, times and sound as they were, and nothing half-written."""

import gc
import json
import resource
import struct
import sys
import weakref
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch import nn

from src.system.errors import UserError
from src.translation.any_size import BATCH
from src.translation.video import film as film_module
from src.translation.video import translation
from src.translation.video.film import DecodedFrame, Film
from src.translation.video.names import target_suffix
from src.translation.video.translation import translate_video
from src.translation.video.turning import upright
from tests.translation.video import films

CPU = torch.device("cpu")
SAME = nn.Identity()
"""A translator that changes nothing, so that a film is its own reference."""
UNEVEN = [0, 40, 80, 200, 210, 250, 700, 733, 766, 800, 1000, 1001, 1040, 1080, 1120, 1160, 1200, 1240, 1280, 1320]
LEVELS = 4
"""Grey levels that two H.264 encodings and two conversions of smooth frames may cost, on average."""


def translated(source: Path, network: nn.Module = SAME) -> Path:
    target = source.parent / "out" / source.with_suffix(target_suffix(source)).name
    translate_video(network, (source, target), CPU)
    return target


@pytest.mark.parametrize(
    ("name", "codec", "sound"),
    [
        ("a.mp4", "libx264", "aac"),
        ("a.m4v", "libx264", "aac"),
        ("a.mov", "libx264", "aac"),
        ("a.mkv", "ffv1", "libopus"),
        ("a.webm", "libvpx", "libopus"),
        ("a.avi", "mjpeg", "pcm_s16le"),
        ("a.ts", "libx264", "aac"),
    ],
)
def test_frames_times_and_sound_survive(name: str, codec: str, sound: str, tmp_path: Path):
    frames = films.moving(20)
    times = None if name in ("a.avi",) else UNEVEN  # which holds a constant rate only
    form = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    container = "mp4" if name == "a.m4v" else None
    source = films.write(tmp_path / name, frames, times=times, codec=codec, sound=sound, form=form, container=container)
    target = translated(source)
    assert target.suffix == (".mkv" if name in ("a.webm", "a.avi", "a.ts") else source.suffix)
    before, times_before = films.read(source)
    after, times_after = films.read(target)
    assert len(before) == len(after) == 20
    # Matroska's clock ticks in milliseconds
    tick = Fraction(1, 1000) if target.suffix == ".mkv" else Fraction(0)
    assert all(abs(x - y) <= tick for x, y in zip(times_before, times_after, strict=True))
    assert all(abs(x.astype(int) - y).mean() < LEVELS for x, y in zip(before, after, strict=True))
    sound_before, sound_after = films.packets(source), films.packets(target)
    # a transport stream has a header of 7 bytes before each packet of AAC, other containers one for all
    skip = 7 if name == "a.ts" else 0
    assert [content[skip:] for content, _ in sound_before] == [content for content, _ in sound_after]
    assert all(abs(x - y) <= tick for (_, x), (_, y) in zip(sound_before, sound_after, strict=True))
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_frames_out_of_order_in_a_container_without_times_of_their_own_are_read(tmp_path: Path):
    frames = films.moving(20)
    source = films.write(tmp_path / "a.avi", frames, sound="pcm_s16le")
    with av.open(str(source)) as container:
        assert any(frame.pict_type == av.video.frame.PictureType.B for frame in container.decode(video=0))
    with closing(Film(source)) as film:
        pictures = [item for item in film.read() if isinstance(item, DecodedFrame)]
        assert [one.time * film.time_base for one in pictures] == [Fraction(n, 25) for n in range(20)]
    assert all(abs(x.astype(int) - y.pixels).mean() < LEVELS for x, y in zip(frames, pictures, strict=True))
    after, times = films.read(translated(source))
    assert times == [Fraction(n, 25) for n in range(20)]
    assert all(abs(x.astype(int) - y).mean() < LEVELS for x, y in zip(frames, after, strict=True))


def test_the_frames_are_the_networks(tmp_path: Path):
    class Negative(nn.Module):
        def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
            return -images_BCHW

    source = films.write(tmp_path / "a.mkv", films.moving(3), codec="ffv1", form="bgr0", sound=None)
    after, _ = films.read(translated(source, Negative()))
    for pixels, output in zip(films.moving(3), after, strict=True):
        assert np.abs(255 - pixels.astype(int) - output).mean() < LEVELS


@pytest.mark.parametrize(
    ("form", "conversion", "tags"),
    [
        ("yuv420p", {"dst_colorspace": "ITU709", "dst_color_range": 1}, {"colorspace": 1, "color_range": 1}),
        ("yuv420p", {"dst_colorspace": "ITU601", "dst_color_range": 1}, {"colorspace": 6, "color_range": 1}),
        ("yuv420p", {"dst_colorspace": "ITU601", "dst_color_range": 1}, {}),  # as players take what says nothing
        ("yuv420p", {"dst_colorspace": "ITU709", "dst_color_range": 2}, {"colorspace": 1, "color_range": 2}),
        ("yuv444p", {"dst_colorspace": "ITU709", "dst_color_range": 1}, {"colorspace": 1, "color_range": 1}),
    ],
)
def test_colours_are_read_and_written_as_the_file_tells(form: str, conversion: dict, tags: dict, tmp_path: Path):
    colours = [(200, 30, 40), (20, 180, 60), (30, 40, 220), (255, 255, 255), (0, 0, 0), (128, 128, 128)]
    frames = [np.full((48, 64, 3), colour, np.uint8) for colour in colours]
    source = films.write(tmp_path / "a.mp4", frames, form=form, colours=conversion, context=tags, sound=None)
    with closing(Film(source)) as film:
        for pixels, colour in zip(
            (one.pixels for one in film.read() if isinstance(one, DecodedFrame)), colours, strict=True
        ):
            assert np.abs(pixels.astype(int) - colour).max() <= 3, colour
    # the output is decoded here by the formula of BT.709 in limited range, which it says it holds
    with av.open(str(translated(source))) as film:
        for frame, colour in zip(film.decode(video=0), colours, strict=True):
            assert (int(frame.colorspace), int(frame.color_range)) == (1, 1)
            planes = frame.to_ndarray(format="yuv420p").reshape(-1)
            y, u, v = (float(planes[start]) for start in (0, 64 * 48, 64 * 48 * 5 // 4))
            y, u, v = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
            red, blue = y + 1.5748 * v, y + 1.8556 * u
            green = (y - 0.2126 * red - 0.0722 * blue) / 0.7152
            assert np.abs(np.array([red, green, blue]) * 255 - colour).max() <= 4, colour


def test_an_odd_side_is_filled_with_its_last_row(tmp_path: Path):
    frames = films.moving(3, 47, 63)
    source = films.write(tmp_path / "a.mkv", frames, codec="ffv1", form="bgr0", sound=None)
    after, _ = films.read(translated(source))
    for pixels, output in zip(frames, after, strict=True):
        assert output.shape == (48, 64, 3)
        assert np.abs(np.pad(pixels, ((0, 1), (0, 1), (0, 0)), mode="edge").astype(int) - output).mean() < LEVELS


def with_matrix(path: Path, matrix: tuple[int, int, int, int], shift: tuple[int, int] = (0, 0)) -> None:
    """Set the display matrix of the first track of an MP4, a field of fixed place in its tkhd box."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in matrix)
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, shift[0] << 16, shift[1] << 16, 1 << 30)
    path.write_bytes(content)


@pytest.mark.parametrize("matrix", [(0, 1, -1, 0), (0, -1, 1, 0), (-1, 0, 0, -1), (-1, 0, 0, 1), (1, 0, 0, 1)])
def test_a_film_that_players_turn_is_turned_before_it_is_translated(matrix, tmp_path: Path):
    a, b, c, d = matrix
    source = films.write(tmp_path / "a.mp4", films.moving(2), context={"sample_aspect_ratio": Fraction(4, 3)})
    with_matrix(source, matrix)
    seen = []

    class Spy(nn.Module):
        def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
            seen.append(tuple(images_BCHW.shape[2:]))
            return images_BCHW

    target = translated(source, Spy())
    shape = (48, 64) if a else (64, 48)
    assert seen == [shape]
    after, _ = films.read(target)
    for pixels, output in zip(films.moving(2), after, strict=True):
        # pixel by pixel: (p, q) is shown at (a p + c q, b p + d q), shifted so that the corner is at 0
        expected = np.zeros((*shape, 3), int)
        left, top = min(0, a * 63 + c * 47, a * 63, c * 47), min(0, b * 63 + d * 47, b * 63, d * 47)
        for q in range(48):
            for p in range(64):
                expected[b * p + d * q - top, a * p + c * q - left] = pixels[q, p]
        assert np.abs(expected - output).mean() < LEVELS
    with av.open(str(target)) as film:
        frame = next(film.decode(video=0))
        assert not frame.side_data.get("DISPLAYMATRIX")
        aspect = film.streams.video[0].codec_context.sample_aspect_ratio
        assert Fraction(aspect.numerator, aspect.denominator) == (Fraction(4, 3) if a else Fraction(3, 4))


def test_all_eight_ways_of_turning():
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    for first in (1, -1):
        for second in (1, -1):
            straight = upright(pixels, (first, 0, 0, second))
            np.testing.assert_array_equal(straight, pixels[::second, ::first])
            # rows become columns
            np.testing.assert_array_equal(
                upright(pixels, (0, second, first, 0)), np.swapaxes(pixels, 0, 1)[::second, ::first]
            )


@pytest.mark.parametrize("matrix", [(1, 1, -1, 1), (0, 0, 0, 0)])
def test_a_film_turned_askew_is_refused(matrix, tmp_path: Path):
    source = films.write(tmp_path / "a.mp4", films.moving(2))
    with_matrix(source, matrix)
    with pytest.raises(UserError, match="turned by no multiple of 90 degrees"):
        translated(source)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_the_same_film_gives_the_same_file(name: str, tmp_path: Path):
    source = films.write(tmp_path / name, films.moving(12))
    # 40 times: with x264's macroblock tree one in fifteen differed
    assert len({translated(source).read_bytes() for _ in range(40)}) == 1


def test_memory_does_not_grow_with_the_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = films.write(tmp_path / "a.mp4", films.moving(20 * BATCH), sound=None)
    alive: set[int] = set()
    most = 0
    decode = Film._picture

    def watched(self: Film, frame: object) -> DecodedFrame:
        nonlocal most
        picture = decode(self, frame)
        alive.add(number := len(seen))
        seen.append(number)
        weakref.finalize(picture, alive.discard, number)
        most = max(most, len(alive))
        return picture

    seen: list[int] = []
    monkeypatch.setattr(Film, "_picture", watched)
    translated(source)
    gc.collect()
    assert len(seen) == 20 * BATCH
    # a batch each is decoded, computed and encoded, one waits, and a few frames are on their way
    assert most <= 5 * BATCH
    assert len(alive) == 0


def test_flicker_is_what_the_output_changes_beyond_its_source(tmp_path: Path):
    class Blinking(nn.Module):
        def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
            signs = torch.tensor([1.0, -1.0]).repeat(len(images_BCHW))[: len(images_BCHW)]
            return images_BCHW + signs[:, None, None, None] * 10 / 127.5  # 10 grey levels up, then down

    still = [films.moving(1)[0]] * 8
    source = films.write(tmp_path / "a.mkv", still, codec="ffv1", form="bgr0", sound=None)
    numbers = translate_video(Blinking(), (source, tmp_path / "out/a.mkv"), CPU)
    assert numbers["change_source"] == 0
    assert numbers["change_output"] == pytest.approx(20, abs=0.1)  # rounding to whole levels
    assert numbers["flicker"] == numbers["change_output"]
    assert (numbers["frames"], numbers["seconds"], numbers["frames_per_second"]) == (8, pytest.approx(0.32), 25)

    # faded to half the contrast, a moving film changes half as much
    class Faded(nn.Module):
        def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
            return images_BCHW / 2

    moving = films.write(tmp_path / "b.mkv", films.moving(8), codec="ffv1", form="bgr0", sound=None)
    numbers = translate_video(Faded(), (moving, tmp_path / "out/b.mkv"), CPU)
    frames = films.moving(8)
    change = np.mean([np.abs(x.astype(int) - y).mean() for x, y in zip(frames[1:], frames[:-1], strict=True)])
    assert numbers["change_source"] == pytest.approx(change)
    assert numbers["flicker"] == pytest.approx(-change / 2, abs=0.3)


def test_a_single_frame_flickers_not(tmp_path: Path):
    source = films.write(tmp_path / "a.mp4", films.moving(1), sound=None)
    numbers = translate_video(SAME, (source, tmp_path / "out/a.mp4"), CPU)
    assert (numbers["frames"], numbers["change_source"], numbers["flicker"]) == (1, None, None)


def faststart(path: Path) -> Path:
    """An MP4 whose index stands in front, as on the web: cut short, it still opens."""
    with (
        av.open(str(path)) as source,
        av.open(str(path.with_name("fast.mp4")), "w", options={"movflags": "faststart"}) as target,
    ):
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    return path.with_name("fast.mp4")


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.ts"])
def test_a_film_whose_times_begin_late_is_whole(name: str, tmp_path: Path):
    """A later piece of a recording keeps the recording's times; so does what it becomes, and is a film again."""
    source = films.write(tmp_path / name, films.moving(5), times=[2000 + 40 * n for n in range(5)], sound=None)
    began = films.read(source)[1]
    assert began[0] >= 2
    once = translated(source)
    with closing(Film(source)) as film:
        assert film.frames == 5
    assert films.read(once)[1] == films.read(translated(once))[1] == began


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("kind", ["mp4", "faststart", "mkv"])
def test_a_film_cut_short_is_one_line_and_leaves_nothing(kind: str, share: float, tmp_path: Path):
    frames = [np.random.default_rng(n).integers(0, 256, (48, 64, 3), dtype=np.uint8) for n in range(75)]
    whole = films.write(tmp_path / f"whole.{'mkv' if kind == 'mkv' else 'mp4'}", frames)
    whole = faststart(whole) if kind == "faststart" else whole
    content = whole.read_bytes()
    source = tmp_path / f"cut{whole.suffix}"
    source.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match=r"cut.m..: (cannot be read as a video|broken at|holds no)") as raised:
        translated(source)
    assert len(str(raised.value).splitlines()) == 1
    assert not any((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("seed", [0, 1, 3])  # in 2 the damage reads as a picture
def test_damage_within_is_one_line_and_leaves_nothing(seed: int, tmp_path: Path):
    frames = [np.random.default_rng(n).integers(0, 256, (48, 64, 3), dtype=np.uint8) for n in range(30)]
    content = bytearray(films.write(tmp_path / "a.mkv", frames, sound=None).read_bytes())
    draws = np.random.default_rng(seed)
    place = int(draws.integers(len(content) // 4, len(content) // 2))
    content[place : place + 2000] = draws.integers(0, 256, 2000, dtype=np.uint8).tobytes()
    (tmp_path / "a.mkv").write_bytes(content)
    with pytest.raises(UserError, match="broken at"):
        translated(tmp_path / "a.mkv")
    assert not any((tmp_path / "out").glob("*"))


def test_a_playlist_leads_nowhere(tmp_path: Path):
    secret = films.write(tmp_path / "secret.ts", films.moving(5))
    for name, text in {
        "hls.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
        "concat.mkv": f"ffconcat version 1.0\nfile {secret}\n",
    }.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(UserError, match="cannot be read as a video"):
            translated(tmp_path / name)


def test_what_is_no_film_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with av.open(str(tmp_path / "sound.mp4"), "w") as film:
        tone = film.add_stream("aac", rate=48000)
        part = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), format="fltp", layout="mono")
        tone.layout = "mono"
        part.sample_rate, part.pts = 48000, 0
        film.mux(tone.encode(part))
        film.mux(tone.encode(None))
    with pytest.raises(UserError, match=r"sound\.mp4: holds no video stream; name a video"):
        translated(tmp_path / "sound.mp4")
    source = films.write(tmp_path / "hdr.mp4", films.moving(2), context={"color_trc": 16})
    with pytest.raises(UserError, match=r"hdr\.mp4: has a high dynamic range \(PQ\); convert it"):
        translated(source)
    source = films.write(tmp_path / "a.mp4", films.moving(2))
    monkeypatch.setattr(film_module, "LARGEST", 64 * 48 - 1)
    with pytest.raises(UserError, match="frames of 64x48 are more than"):
        translated(source)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match=r"needs the package av; pip install -e '\.\[video\]'"):
        translated(source)


def test_a_film_that_changes_its_size_is_refused(tmp_path: Path):
    parts = [
        films.write(tmp_path / f"{n}.avi", films.moving(5, 48, 64 * n), codec="mjpeg", form="yuvj420p", sound=None)
        for n in (1, 2)
    ]
    with (
        av.open(str(parts[0])) as first,
        av.open(str(parts[1])) as second,
        av.open(str(tmp_path / "a.mkv"), "w") as film,
    ):
        stream = film.add_stream_from_template(first.streams.video[0])
        for number, packet in enumerate([*first.demux(), *second.demux()]):
            if packet.size:
                packet.stream, packet.pts, packet.dts = stream, number, number
                film.mux(packet)
    with pytest.raises(UserError, match=r"broken at .*its size changes to 128x48"):
        translated(tmp_path / "a.mkv")


def test_a_mistake_of_the_network_leaves_nothing(tmp_path: Path):
    class Failing(nn.Module):
        calls = 0

        def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            if self.calls == 2:
                raise KeyboardInterrupt
            return images_BCHW

    source = films.write(tmp_path / "a.mp4", films.moving(4 * BATCH))
    with pytest.raises(KeyboardInterrupt):
        translated(source, Failing())
    assert not any((tmp_path / "out").glob("*"))


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path):
    frames = [np.random.default_rng(n).integers(0, 256, (48, 64, 3), dtype=np.uint8) for n in range(20)]
    source = films.write(tmp_path / "a.mp4", frames)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in (0, 20_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            with pytest.raises(UserError, match=r"out/a\.mp4: cannot be written \(File too large\); raise the limit"):
                translated(source)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert not any((tmp_path / "out").glob("*"))


def test_what_is_told_of_a_film_is_the_files(tmp_path: Path):
    source = films.write(tmp_path / "a.mp4", films.moving(10))
    told = []
    target = tmp_path / "out/a.mp4"
    numbers = translate_video(
        SAME, (source, target), CPU, note=lambda *about, video: told.append((about, video, target.exists()))
    )
    ((given, of, sha), video, there), *rest = told
    assert (given, of, there, rest) == (source, target, False, [])
    assert sha == translation.sha256(target)
    assert json.loads(json.dumps(video)) == numbers


def test_two_at_once_do_not_write_into_one_file(tmp_path: Path):
    source, target = films.write(tmp_path / "a.mp4", films.moving(3)), tmp_path / "out/a.mp4"
    refused = []

    def again(*frames: object) -> None:
        with pytest.raises(UserError, match=r"out/a\.mp4: another process is writing it; wait, or name another fold"):
            translate_video(SAME, (source, target), CPU)
        refused.append(frames)

    translate_video(SAME, (source, target), CPU, seen=again)
    assert len(refused) == 3
    assert [path.name for path in target.parent.iterdir()] == ["a.mp4"]
    assert len(films.read(target)[0]) == 3


def test_sound_that_is_not_known_here_is_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """As a phone's, which adds a kind of its maker's to the usual one."""
    source = films.write(tmp_path / "a.mp4", films.moving(4))
    content = source.read_bytes()
    assert (content.count(b"mp4a"), content.count(b"esds")) == (1, 1)
    source.write_bytes(content.replace(b"mp4a", b"zzz1").replace(b"esds", b"free"))
    target = tmp_path / "out/a.mp4"
    numbers = translate_video(SAME, (source, target), CPU)
    assert (numbers["frames"], numbers["sound"]) == (4, 0)
    assert len(films.read(target)[0]) == 4
    said = capsys.readouterr().err
    assert "a.mp4: 1 of 1 streams of sound are of a kind that is not known here, and left out" in said
