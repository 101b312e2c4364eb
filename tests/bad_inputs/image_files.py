"""Image files of every kind a user may have: readable ones with the pixels they show, and others with their fault."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.generic]
Readable = Callable[[Path], tuple[Array, int]]
"""Writes the file; returns the pixels [H, W, 3] a person sees, and by how much its format may change them."""

SIDE = 32
rows, columns = np.mgrid[0:SIDE, 0:SIDE]
RGB = np.stack([rows * 8, columns * 8, (rows + columns) * 4], axis=2).astype(np.uint8)
GREY = RGB[:, :, 0]
ALPHA = (255 - columns * 8).astype(np.uint8)
BLOCKS = np.kron([[[200, 30, 60], [10, 220, 90]], [[0, 0, 255], [255, 255, 255]]], np.ones((16, 16, 1))).astype(
    np.uint8
)


def as_rgb(grey: Array) -> Array:
    return np.repeat(np.asarray(grey)[:, :, None], 3, axis=2)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, depth: int, colour_type: int, lines: bytes, *extra: bytes) -> bytes:
    """A PNG by its specification, apart from any library. Each of `lines` has its filter byte in front."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def encoded(form: str, pixels: Array = RGB, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def smooth_jpeg(**options: object) -> bytes:
    return encoded("JPEG", quality=98, subsampling=0, **options)


def animation(form: str, **options: object) -> bytes:
    file = io.BytesIO()
    frames = [Image.fromarray(np.roll(RGB, step, axis=0)) for step in (0, 5, 9)]
    frames[0].save(file, form, save_all=True, append_images=frames[1:], **options)
    return file.getvalue()


def a_file(content: Callable[[], bytes], pixels: Array, tolerance: int = 0) -> Readable:
    def write(path: Path) -> tuple[Array, int]:
        path.write_bytes(content())
        return pixels, tolerance

    return write


def _cmyk() -> bytes:
    ink = np.concatenate([255 - BLOCKS, np.full((SIDE, SIDE, 1), 64, np.uint8)], axis=2)
    file = io.BytesIO()
    Image.frombytes("CMYK", (SIDE, SIDE), ink.tobytes()).save(file, "JPEG", quality=100, subsampling=0)
    return file.getvalue()


def _deep(channels: int) -> bytes:
    values = np.concatenate([RGB.astype(np.uint16) * 257, np.full((SIDE, SIDE, 1), 9999, np.uint16)], axis=2)
    done, content = cv2.imencode(".png", values[:, :, [2, 1, 0, 3][:channels]])
    assert done
    return content.tobytes()


def _deep_grey_and_alpha() -> bytes:
    values = np.stack([GREY.astype(">u2") * 257, ALPHA.astype(">u2") * 257], axis=2).astype(">u2")
    return png(SIDE, SIDE, 16, 4, b"".join(b"\0" + line.tobytes() for line in values))


def _few_bits(depth: int) -> tuple[bytes, Array]:
    levels = (columns * 2**depth // SIDE).astype(np.uint8)
    bits = np.unpackbits(levels[:, :, None], axis=2)[:, :, -depth:].reshape(SIDE, -1)
    lines = b"".join(b"\0" + line.tobytes() for line in np.packbits(bits, axis=1))
    return png(SIDE, SIDE, depth, 0, lines), as_rgb(levels * (255 // (2**depth - 1)))


def _palette(**options: object) -> bytes:
    image = Image.fromarray((rows // 8).astype(np.uint8))
    image.putpalette(COLOURS.ravel().tolist())
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


COLOURS = np.array([[10, 20, 30], [200, 0, 0], [0, 255, 0], [90, 90, 250]], np.uint8)


def _with_alpha(mode: str) -> bytes:
    image = Image.fromarray(RGB if mode == "RGBA" else GREY).convert(mode)
    image.putalpha(Image.fromarray(ALPHA))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def _phone() -> bytes:
    file = io.BytesIO()
    Image.fromarray(RGB).save(
        file, "MPO", save_all=True, append_images=[Image.fromarray(255 - RGB)], quality=98, subsampling=0
    )
    return file.getvalue()


def _linked(path: Path) -> tuple[Array, int]:
    target = path.parent.parent / f"{path.name}.elsewhere"
    target.write_bytes(encoded("PNG"))
    path.symlink_to(target)
    return RGB, 0


READABLE: dict[str, tuple[str | bytes, Readable]] = {
    "jpeg called png": ("a.png", a_file(smooth_jpeg, RGB, 6)),
    "png called jpg": ("a.jpg", a_file(lambda: encoded("PNG"), RGB)),
    "webp called png": ("a.png", a_file(lambda: encoded("WEBP", lossless=True), RGB)),
    "mixed case": ("a.PnG", a_file(lambda: encoded("PNG"), RGB)),
    "mixed case jpeg": ("a.JPeG", a_file(smooth_jpeg, RGB, 6)),
    "progressive jpeg": ("a.jpg", a_file(lambda: smooth_jpeg(progressive=True), RGB, 6)),
    "grey jpeg": ("a.jpg", a_file(lambda: encoded("JPEG", GREY, quality=98), as_rgb(GREY), 4)),
    "phone's jpeg of two pictures": ("a.jpg", a_file(_phone, RGB, 6)),
    # an ink of 64 out of 255 black leaves 191 / 255 of each colour
    "cmyk jpeg": ("a.jpg", a_file(_cmyk, np.round(BLOCKS * (191 / 255)), 4)),
    "16-bit grey": ("a.png", a_file(lambda: encoded("PNG", GREY.astype(np.uint16) * 257), as_rgb(GREY))),
    "16-bit rgb": ("a.png", a_file(lambda: _deep(3), RGB)),
    "16-bit rgb with alpha": ("a.png", a_file(lambda: _deep(4), RGB)),
    "16-bit grey with alpha": ("a.png", a_file(_deep_grey_and_alpha, as_rgb(GREY))),
    "1-bit": ("a.png", a_file(lambda: _few_bits(1)[0], _few_bits(1)[1])),
    "2-bit grey": ("a.png", a_file(lambda: _few_bits(2)[0], _few_bits(2)[1])),
    "4-bit grey": ("a.png", a_file(lambda: _few_bits(4)[0], _few_bits(4)[1])),
    "palette": ("a.png", a_file(_palette, COLOURS[rows // 8])),
    "palette with alpha": ("a.png", a_file(lambda: _palette(transparency=b"\0\x80\xff\x40"), COLOURS[rows // 8])),
    "palette with one clear colour": ("a.png", a_file(lambda: _palette(transparency=2), COLOURS[rows // 8])),
    "grey with alpha": ("a.png", a_file(lambda: _with_alpha("LA"), as_rgb(GREY))),
    "rgb with alpha": ("a.png", a_file(lambda: _with_alpha("RGBA"), RGB)),
    "rgb with one clear colour": ("a.png", a_file(lambda: encoded("PNG", transparency=(0, 0, 0)), RGB)),
    "1x1": ("a.png", a_file(lambda: encoded("PNG", RGB[3:4, 5:6]), RGB[3:4, 5:6])),
    "turned jpeg": ("a.jpg", a_file(lambda: smooth_jpeg(exif=_turned(6)), np.rot90(RGB, -1), 6)),
    "turned and mirrored png": ("a.png", a_file(lambda: encoded("PNG", exif=_turned(5)), RGB.transpose(1, 0, 2))),
    "turned webp": ("a.webp", a_file(lambda: encoded("WEBP", lossless=True, exif=_turned(3)), RGB[::-1, ::-1])),
    "bytes behind its end": ("a.png", a_file(lambda: encoded("PNG") + b"\0" * 100, RGB)),
    "name that is no utf-8": (b"\xff\xfe\xe9.png", a_file(lambda: encoded("PNG"), RGB)),
    "odd name": ("-rf 'ü' \"道\" [x] {0} %s $HOME;.png", a_file(lambda: encoded("PNG"), RGB)),
    "name of two lines": ("a\nb.png", a_file(lambda: encoded("PNG"), RGB)),
    "link": ("a.png", _linked),
}


def _jpeg_that_says(width: int, height: int) -> bytes:
    content = bytearray(smooth_jpeg())
    place = content.index(b"\xff\xc0") + 5  # behind marker, length and precision of the frame header
    content[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def _flipped(content: bytes) -> bytes:
    at = content.index(b"IDAT") + 20
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


def _float_tiff() -> bytes:
    return encoded("TIFF", rows.astype(np.float32))


def _noise(form: str) -> bytes:
    return encoded(form, np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


CANNOT = r"cannot be read as an image \(.+\); mend or remove the file"
LARGE = "has more than 89 megapixels, the most that is read; shrink or remove it"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 12345\n"

BROKEN: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "zero bytes": ("a.png", lambda: b"", CANNOT),
    "half a png": ("a.png", lambda: _half(_noise("PNG")), CANNOT),
    "half a jpeg": ("a.jpg", lambda: _half(_noise("JPEG")), CANNOT),
    "half a webp": ("a.webp", lambda: _half(_noise("WEBP")), CANNOT),
    "png's first 8 bytes": ("a.png", lambda: b"\x89PNG\r\n\x1a\n", CANNOT),
    "jpeg's first 4 bytes": ("a.jpg", lambda: b"\xff\xd8\xff\xe0", CANNOT),
    "damaged png": ("a.png", lambda: _flipped(encoded("PNG")), CANNOT),
    "text": ("a.png", lambda: b"no image at all\n", CANNOT),
    "git-lfs pointer": ("a.png", lambda: POINTER, CANNOT),
    "error page": ("a.jpg", lambda: b"<!DOCTYPE html><html><body>404 Not Found</body></html>", CANNOT),
    "svg": ("a.png", lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', CANNOT),
    # Pillow would start Ghostscript for it
    "postscript": (
        "a.png",
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
        CANNOT,
    ),
    "float tiff": ("a.png", _float_tiff, CANNOT),
    "bmp": ("a.jpg", lambda: encoded("BMP"), CANNOT),
    "animated gif": ("a.png", lambda: animation("GIF"), CANNOT),
    "animated png": ("a.png", lambda: animation("PNG"), "is an animation of 3 frames; keep one of them instead"),
    "animated webp": ("a.webp", lambda: animation("WEBP"), "is an animation of 3 frames; keep one of them instead"),
    "png of 30000x30000": ("a.png", lambda: png(30000, 30000, 8, 2, b"\0"), LARGE),
    "jpeg of 30000x30000": ("a.jpg", lambda: _jpeg_that_says(30000, 30000), LARGE),
    "png of 9500x9500": ("a.png", lambda: png(9500, 9500, 1, 0, bytes(9500 * 1189)), LARGE),
    "png of 2^31 pixels a side": ("a.png", lambda: png(2**31 - 1, 2**31 - 1, 8, 2, b"\0"), LARGE),
    "png of 50000x1": (
        "a.png",
        lambda: png(50000, 1, 1, 0, bytes(6251)),
        "is 50000x1, one side over 100 times the other; crop or remove it",
    ),
    "png without pixels": ("a.png", lambda: png(0, 5, 8, 2, b"\0"), CANNOT),
    "png with a text that unpacks to 100 MB": (
        "a.png",
        lambda: png(1, 1, 8, 0, b"\0\0", chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(10**8)))),
        CANNOT,
    ),
}


def damaged(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Good files of all three kinds with a few bytes changed, left out or added, at random."""
    draws = np.random.default_rng(seed)
    good = [encoded("PNG"), smooth_jpeg(), encoded("WEBP", quality=80), encoded("WEBP", lossless=True), _palette()]
    for number in range(count):
        content = bytearray(good[number % len(good)])
        for _ in range(draws.integers(1, 8)):
            at = int(draws.integers(0, len(content)))
            if draws.integers(2):
                content[at] = int(draws.integers(256))
            else:
                content[at : at + int(draws.integers(0, 9))] = draws.bytes(int(draws.integers(0, 9)))
        yield f"{number:04d}.png", bytes(content)
