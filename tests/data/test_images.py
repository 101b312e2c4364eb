"""Image files of every usual kind, and of several unusual ones."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from src.data.images import announce_passed_over, find_images, image_size, list_images, read_image, write_image
from src.system.errors import UserError

RGB = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)


def test_finds_images_at_any_depth_in_order_and_nothing_else(tmp_path: Path):
    for name in ("b/2.png", "a.JPG", "b/c/d/1.webp", "x.jpeg", "notes.txt", ".hidden.png", ".cache/3.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    found = [str(path.relative_to(tmp_path)) for path in find_images(tmp_path)]
    assert found == ["a.JPG", "b/2.png", "b/c/d/1.webp", "x.jpeg"]


def test_what_a_disk_keeps_for_itself_is_none_of_its_images(tmp_path: Path):
    """Thumbnails of a network drive, and what was thrown away."""
    for name in ("a.png", "@eaDir/a.png/SYNOPHOTO_THUMB_XL.jpg", "b/#recycle/old.png", "$RECYCLE.BIN/$R1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert find_images(tmp_path) == [tmp_path / "a.png"]


MIXED = ("a.png", "b.jpg", "c.JPG", "d.webp", "e.jfif", "f.jpe", "g.tif", "h.bmp", "i.gif", "j.ppm", "k.jp2", "l.avif")


def test_what_is_passed_over_is_counted_by_suffix(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "deep").mkdir()
    for name in (*MIXED, "deep/m.TIF", "deep/README", ".hidden.tif"):
        (tmp_path / name).write_bytes(b"")
    listing = list_images(tmp_path)
    assert [path.name for path in listing.images] == list(MIXED[:6])
    once = dict.fromkeys((".bmp", ".gif", ".ppm", ".jp2", ".avif", "without suffix"), 1)
    assert listing.passed_over == {".tif": 2, **once}
    announce_passed_over(listing.passed_over, "data")
    announce_passed_over({}, "data")
    assert capsys.readouterr().err == (
        "data: 8 files passed over: .avif 1, .bmp 1, .gif 1, .jp2 1, .ppm 1, .tif 2, without suffix 1; "
        "read are .png, .jpg, .jpeg, .jpe, .jfif, .webp\n"
    )


def test_a_jpeg_of_any_name_is_read(tmp_path: Path):
    Image.fromarray(RGB).save(tmp_path / "a.jpg")
    for suffix in ("jpe", "jfif", "JFIF"):
        (tmp_path / f"a.{suffix}").write_bytes((tmp_path / "a.jpg").read_bytes())
        np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}"), read_image(tmp_path / "a.jpg"))


def test_a_folder_of_other_files_says_which(tmp_path: Path):
    (tmp_path / "a.tif").write_bytes(b"")
    with pytest.raises(UserError, match=r"no images there; looked for \.png, .*; there are \.tif 1$"):
        find_images(tmp_path)


def test_a_missing_or_empty_folder_is_named(tmp_path: Path):
    with pytest.raises(UserError, match="nowhere: no such folder"):
        find_images(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"no images there; looked for \.png"):
        find_images(tmp_path)


@pytest.mark.parametrize(("suffix", "options"), [("png", {}), ("webp", {"lossless": True})])
def test_colour_files_come_back(tmp_path: Path, suffix: str, options: dict[str, bool]):
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(RGB).save(path, **options)
    np.testing.assert_array_equal(read_image(path), RGB)


def test_jpegs_come_back_within_their_loss(tmp_path: Path):
    rows, columns = np.mgrid[0:32, 0:48]
    smooth = np.stack([rows * 8, columns * 5, rows + columns], axis=2).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "image.jpg", quality=95)
    assert np.abs(read_image(tmp_path / "image.jpg").astype(int) - smooth).mean() < 3


def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path):
    deep = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    expected = np.repeat(np.array([[0, 1, 128, 255]], dtype=np.uint8)[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png"), expected)


@pytest.mark.parametrize("kind", ["grey", "colour", "colour with alpha", "grey, turned"])
def test_12_bits_in_16_are_scaled_by_their_white(tmp_path: Path, kind: str):
    path, levels = tmp_path / "deep.png", np.arange(256, dtype=np.uint16).reshape(4, 64) * 16  # 12 bits, up to 4080
    if kind.startswith("grey"):
        exif = Image.Exif()
        exif[0x0112] = 3  # upside down
        Image.fromarray(levels).save(path, **({"exif": exif} if "turned" in kind else {}))
        turn = -1 if "turned" in kind else 1
        expected = np.repeat(levels[::turn, ::turn, None] // 16, 3, axis=2)
    else:
        channels = [levels, levels[:, ::-1], levels[::-1]] + [levels] * ("alpha" in kind)
        assert cv2.imwrite(str(path), np.stack([channels[index] for index in (2, 1, 0, 3)[: len(channels)]], axis=2))
        expected = np.stack(channels[:3], axis=2) / 16
    np.testing.assert_array_equal(read_image(path, 4080), expected)
    assert read_image(path).max() <= 16  # of 65535, as any viewer shows it


def test_8_bit_files_have_no_other_white(tmp_path: Path):
    Image.fromarray(RGB).save(tmp_path / "image.png")
    np.testing.assert_array_equal(read_image(tmp_path / "image.png", 4095), RGB)


def test_8_bit_grey_becomes_three_equal_channels(tmp_path: Path):
    Image.fromarray(RGB[:, :, 0]).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), np.repeat(RGB[:, :, :1], 3, axis=2))


def test_palette_files_are_read_by_their_colours(tmp_path: Path):
    indices = np.array([[0, 1], [2, 1]], dtype=np.uint8)
    image = Image.fromarray(indices)
    image.putpalette([10, 20, 30, 200, 0, 0, 0, 255, 0])
    image.save(tmp_path / "palette.png")
    assert read_image(tmp_path / "palette.png").tolist() == [[[10, 20, 30], [200, 0, 0]], [[0, 255, 0], [200, 0, 0]]]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_left_out(tmp_path: Path, mode: str):
    image = Image.fromarray(RGB).convert(mode)
    image.putalpha(Image.fromarray(RGB[:, :, 1]))
    image.save(tmp_path / "alpha.png")
    assert read_image(tmp_path / "alpha.png").shape == RGB.shape
    if mode == "RGBA":
        np.testing.assert_array_equal(read_image(tmp_path / "alpha.png"), RGB)


def test_exif_rotation_is_applied(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise for viewing
    Image.fromarray(RGB).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "turned.png"), np.rot90(RGB, -1))


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_an_unreadable_file_is_one_line_with_its_name(tmp_path: Path, content: bytes):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"broken\.png: cannot be read as an image .*; mend or remove") as raised:
        read_image(path)
    assert "\n" not in str(raised.value)


def test_a_truncated_file_is_refused(tmp_path: Path):
    path = tmp_path / "half.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(UserError, match=r"half\.png: cannot be read"):
        read_image(path)


def test_a_vanished_file_is_said(tmp_path: Path):
    with pytest.raises(UserError, match="the image is gone"):
        read_image(tmp_path / "gone.png")


@pytest.mark.parametrize("limit", [RGB[..., 0].size // 3, RGB[..., 0].size - 1])
def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int):
    path = tmp_path / "bomb.png"
    Image.fromarray(RGB).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)  # Pillow refuses from twice that on, and warns below
    with pytest.raises(UserError, match=r"bomb\.png: has more than 89 megapixels"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_the_size_of_the_upright_picture_is_known_from_its_header(tmp_path: Path, suffix: str):
    for orientation in (1, 6):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"{orientation}.{suffix}"
        Image.fromarray(RGB).save(path, exif=exif)
        height, width = read_image(path).shape[:2]
        assert image_size(path) == (width, height)


@pytest.mark.parametrize("kind", ["Raw profile type exif", "XML:com.adobe.xmp"])
def test_a_png_that_says_otherwise_how_it_is_turned_has_one_size_too(tmp_path: Path, kind: str):
    """As ImageMagick makes one of a phone's JPEG, and as Adobe's programs do."""
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = exif.tobytes().hex()
    xmp = '<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    text = PngInfo()
    text.add_text(kind, xmp if "xmp" in kind else f"\nexif\n{len(profile) // 2:8}\n{profile}\n")
    Image.fromarray(RGB).save(tmp_path / "a.png", pnginfo=text)
    assert read_image(tmp_path / "a.png").shape == (RGB.shape[1], RGB.shape[0], 3)
    assert image_size(tmp_path / "a.png") == (RGB.shape[0], RGB.shape[1])


def test_a_png_cut_short_is_noticed_without_decoding_it(tmp_path: Path):
    Image.fromarray(RGB).save(tmp_path / "cut.png")
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:-4])
    with pytest.raises(UserError, match=r"cut\.png: cannot be read as an image \(cut short\)"):
        image_size(tmp_path / "cut.png", to_its_end=True)
    (tmp_path / "cut.png").write_bytes(whole + b"appended")
    image_size(tmp_path / "cut.png", to_its_end=True)


def test_writing_leaves_the_whole_file_and_no_other(tmp_path: Path):
    write_image(tmp_path / "out.png", RGB)
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]
    np.testing.assert_array_equal(read_image(tmp_path / "out.png"), RGB)
