"""What input= may name, and what each file becomes."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from src.system.errors import UserError
from src.translation.jobs import plan

FILES = [
    "drives/one/front_1.png",
    "drives/one/front_2.jpg",
    "drives/one/rear_1.png",
    "drives/two/front_1.webp",
    "drives/two/front_10.png",
    "drives/two/film.mp4",
    "drives/two/film.webm",
    "drives/two/notes.txt",
    "drives/.hidden/front_1.png",
    "drives/top.png",
]


@pytest.fixture
def drives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("drives/top.png", {"drives/top.png": "top.png"}),
        ("drives/two/film.mp4", {"drives/two/film.mp4": "film.mp4"}),
        ("drives/two/film.webm", {"drives/two/film.webm": "film.mkv"}),
        ("drives/two", {"drives/two/front_1.webp": "front_1.png", "drives/two/front_10.png": "front_10.png"}),
        ("drives/*.png", {"drives/top.png": "top.png"}),
        (
            "drives/*/front_?.*",
            {
                "drives/one/front_1.png": "one/front_1.png",
                "drives/one/front_2.jpg": "one/front_2.png",
                "drives/two/front_1.webp": "two/front_1.png",
            },
        ),
        ("drives/one/[fr]*_1.png", {f"drives/one/{n}.png": f"{n}.png" for n in ("front_1", "rear_1")}),
        ("drives/two/*.mp4", {"drives/two/film.mp4": "film.mp4"}),
        ("drives/**/*_10.png", {"drives/two/front_10.png": "two/front_10.png"}),
        ("**/top.png", {"drives/top.png": "drives/top.png"}),
        ("drives/two/n*", None),
        ("drives/two/[x-z]*", None),
    ],
)
def test_which_file_becomes_which(source: str, expected: dict[str, str] | None, drives: Path, tmp_path: Path):
    output = tmp_path.parent / f"{tmp_path.name}_out"
    if expected is None:
        with pytest.raises(UserError, match=r"matches no image and no video; check the pattern, and quote it"):
            plan(source, output)
    else:
        jobs = plan(source, output)
        assert [str(path) for path, _ in jobs] == sorted(expected)
        assert {str(path): target.relative_to(output).as_posix() for path, target in jobs} == expected


def test_a_file_whose_name_is_a_pattern_is_that_file(drives: Path):
    (drives / "a[1].png").touch()
    (drives / "a1.png").touch()
    assert plan("a[1].png", drives / "out") == [(Path("a[1].png"), drives / "out/a[1].png")]


def test_the_format_is_the_images_alone(drives: Path):
    targets = [target.name for _, target in plan("drives/two/f*", drives / "out", "jpeg")][:1]
    assert targets == ["film.mp4"]
    (drives / "drives/two/film.mkv").touch()
    with pytest.raises(UserError, match="would both become"):  # .webm becomes .mkv
        plan("drives/two/film.*", drives / "out")


@pytest.mark.parametrize(
    ("source", "output", "message"),
    [
        ("drives/one/*.png", "drives/one", "would be overwritten"),
        ("drives/*/*.png", "drives", "would be overwritten"),
        ("drives/*", "drives", "would be overwritten"),
        ("drives/two/*.webm", "drives/two", None),  # becomes another file
        ("drives/two/*.web*", "drives/two", None),
        ("drives/two/f*.web*", "drives/two/out", None),  # one level deeper than the pattern finds
        ("drives/one/f*.jpg", "drives/two", None),
        ("drives/one/f*", "drives/one", "would be overwritten"),
        ("drives/*/f*.web*", "drives/new", None),
        ("drives/*/*_2.*", "drives", "would be an input of input="),
        ("drives/**/*.jpg", "drives/out", "lies inside input="),
        ("drives/one", "drives/one/out", "lies inside input="),
        ("drives/one", "drives", "would be"),
        ("drives/top.png", "drives", "would be overwritten"),
        ("drives/top.png", "out.png", "is no name for a folder"),
        ("drives/two/film.mp4", "out/film.mp4", "is no name for a folder"),
        ("drives/one", "drives/two/notes.txt", "is a file; name a folder"),
        ("drives/two/notes.txt", "out", r"neither an image \(.png, .* nor a video \(.mp4, "),
        ("drives/three", "out", "no such file or folder; check the path"),
    ],
)
def test_no_source_is_lost_and_no_output_becomes_a_source(source: str, output: str, message: str | None, drives: Path):
    if source == "drives/one" and output == "drives":
        assert plan(source, Path(output))[0][1] == Path("drives/front_1.png")  # no source: those lie one level deeper
    elif message is None:
        assert plan(source, Path(output))
    else:
        with pytest.raises(UserError, match=message):
            plan(source, Path(output))


def test_a_dead_link_that_a_pattern_finds_is_said(drives: Path):
    (drives / "drives/one/dead.png").symlink_to("nowhere.png")
    with pytest.raises(UserError, match=r"dead\.png: is a link that leads to no file"):
        plan("drives/one/*.png", drives / "out")


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("input=frames/*.png", "frames/*.png"),
        ("input=frames/front_?.png", "frames/front_?.png"),
        ("input=drives/**/*.mp4", "drives/**/*.mp4"),
        ('input="drives/*/front_[0-9][0-9].png"', "drives/*/front_[0-9][0-9].png"),
        ('input="my drives, 2024/**/*.mp4"', "my drives, 2024/**/*.mp4"),
        ('input="a=b/{c}.png"', "a=b/{c}.png"),
    ],
)
def test_hydra_takes_patterns_quoted_as_the_documentation_shows(override: str, value: str):
    (parsed,) = OverridesParser.create().parse_overrides([override])
    assert not parsed.is_sweep_override()
    assert parsed.value() == value
