"""Folders that are missing, empty, files, the same twice, inside each other, full or not to be written."""

import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile, copytree

import pytest
from PIL import Image

from src.system.files import write
from tests import labelled
from tests.bad_inputs.refusal import assert_refused, listing, run, run_composed
from tests.conftest import TINY


@pytest.fixture(scope="module")
def translator(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that can translate."""
    data = ["data=folders", f"data.root={frames}", "data.size=32", "data.load=32"]
    return labelled.translator(tmp_path_factory.mktemp("runs") / "2026_triplet", *data)


def training(root: Path, *own: str) -> list[str]:
    return [
        "data=folders",
        "trainer=cpu",
        *TINY,
        f"data.root={root}",
        "data.size=32",
        "data.load=32",
        "data.num_workers=0",
        *own,
    ]


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def hide(folder: Path) -> None:
    for path in folder.iterdir():
        path.rename(folder / f".{path.name}")


def become_a_file(folder: Path) -> None:
    empty(folder)
    folder.rmdir()
    folder.write_text("not a folder")


def vanish(folder: Path) -> None:
    empty(folder)
    folder.rmdir()


@pytest.mark.parametrize("name", ["trainB", "testA"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (vanish, "no such folder; check data.root and data.layout"),
        (empty, "no images there; looked for .png, .jpg"),
        (hide, "no images there; looked for .png, .jpg"),
        (become_a_file, "no such folder; check data.root and data.layout"),
    ],
)
def test_training_needs_its_four_folders(
    name: str, spoil: Callable[[Path], None], message: str, frames: Path, tmp_path: Path
):
    root = tmp_path / "frames"
    copytree(frames, root)
    spoil(root / name)
    before = listing(tmp_path)
    assert_refused(run_composed("train", tmp_path / "run", training(root)), f"^{root / name}: {message}")
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (
            "data.layout.y=trainA",
            "^data: .*trainA/0.png is in x_train and in y_train; name folders that share no image",
        ),
        ("data.layout.x_val=trainA", "^data: .*trainA/0.png is in x_train and in x_val"),
        ("data.layout.y_val=.", "^data: .*trainB/0.png is in y_train and in y_val"),
        ("data.cache={frames}/trainA/0.png", r"^data\.cache=.*0\.png: cannot be written .*name another folder$"),
        ("metrics.cache={frames}/trainA/0.png", r"^metrics\.cache=.*0\.png: cannot be made .*name a folder, or null$"),
    ],
)
def test_training_refuses_folders_at_odds(own: str, message: str, frames: Path, untouched: Path):
    command = "prepare" if "data.cache" in own else "train"
    arguments = training(frames, own.format(frames=frames))
    if command == "prepare":
        assert_refused(run(command, arguments), message)
    else:
        assert_refused(run_composed(command, untouched / "run", arguments), message)


def test_validation_frames_that_would_become_one_file_are_refused_before_training(frames: Path, tmp_path: Path):
    root = tmp_path / "frames"
    copytree(frames, root)
    for path in sorted((root / "testA").iterdir()):
        with Image.open(path) as image:
            image.save(path.with_suffix(".jpg"))
    before = listing(tmp_path)
    answer = run_composed("train", tmp_path / "run", training(root))
    assert_refused(answer, r"^.*testA/0\.jpg and .*testA/0\.png would both become 0\.png; rename one$")
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "hydra.run.dir={frames}/trainA/0.png",
            r"0\.png: cannot be written \(Not a directory\); choose another folder$",
        ),
        (
            "hydra.run.dir={frames}/trainA/0.png/run",
            r"run: cannot be written \(Not a directory\); choose another folder$",
        ),
        ("-m seed=0,1 hydra.sweep.dir={frames}/trainA/0.png", r"0\.png: cannot be written \(Not a directory\)"),
        ("resume=nowhere", "^resume=.*nowhere: no such run folder; check the path$"),
        ("resume={frames}", "frames: not a run folder, config.yaml is missing"),
        ("resume={translator} attention=bam", "^resume continues a run as it was configured; leave out attention=bam"),
    ],
)
def test_the_folder_of_a_run_must_be_one(arguments: str, message: str, frames: Path, translator: Path, untouched: Path):
    answer = run("train", arguments.format(frames=frames, translator=translator).split())
    assert_refused(answer, message)


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("evaluate", "real={frames}/nowhere fake={frames}/trainA", "nowhere: no such folder; check the path$"),
        ("evaluate", "real={frames}/trainA fake={empty}", "no images there; looked for"),
        ("evaluate", "real={frames}/trainA fake={frames}/trainB/0.png", r"0\.png: no such folder; check the path$"),
        ("evaluate", "real={frames}/trainA fake={one}", "^scores need at least 2 images a set, got 1; add images$"),
        ("evaluate", "real={frames}/trainA fake={frames}/trainB side=8", r"side must be >= 16, got 8$"),
        (
            "evaluate",
            "real={frames}/trainA fake={frames}/trainB accelerator=cud",
            "accelerator=cud: .*did you mean cud",
        ),
        (
            "evaluate",
            "real={frames}/trainA fake={frames}/trainB per_image={frames}/trainA",
            "^per_image=.*trainA: is a folder; name a file$",
        ),
        ("translate", "run={run} input={empty} output=out", "no images there; looked for"),
        ("translate", "run={run} input={text} output=out", r"^input=.*\.txt: neither an image \(.png, .*nor a video"),
        ("translate", "run={run} input={empty}/* output=out", r"^input=.*/\*: matches no image and no video; check"),
        ("translate", "run={run} input={frames}/trainA/**/*.png output={frames}/trainA/out", "out: lies inside input="),
        (
            "translate",
            "run={run} input={frames}/trainA/?.png output={frames}/trainA",
            "0.png would be overwritten; name another",
        ),
        (
            "translate",
            "run={run} input={frames}/trainA output=out.png",
            r"^output=out\.png: is no name for a folder; name",
        ),
        (
            "translate",
            "run={run} input={frames}/trainA output=o format=gif",
            "^format must be one of png, jpeg, webp, got",
        ),
        ("translate", "run={run} input={frames}/trainA output={full}", r"full: .*0\.png \(and \d+ more\) is there and"),
        ("translate", "run={run} input={film} output=out", r"^.*film\.mp4: cannot be read as a video \(.*\); mend or"),
        ("runs.__main__", "{empty}", "empty: holds no run; name a folder that does$"),
        (
            "runs.__main__",
            "rm --folder {frames} trainA",
            "trainA: not a run folder; only what src.train and src.seg",
        ),
        ("runs.__main__", "rm --folder {run} .", r"^\.: lies outside "),
        ("translate", "run={run} input={frames}/trainA output={frames}/trainA", "trainA: lies inside input="),
        (
            "translate",
            "run={run} input={frames}/trainA output={frames}/trainA/out",
            "^output=.*out: lies inside input=",
        ),
        (
            "translate",
            "run={run} input={frames}/trainA/0.png output={frames}/trainA",
            "0.png would be overwritten; name",
        ),
        (
            "translate",
            "run={run} input={frames}/trainA output={text}",
            "^output=.*notes.txt: is a file; name a folder$",
        ),
        ("translate", "run={run} input={twins} output=out", "would both become .*; rename one$"),
        (
            "translate",
            "run={run}x input={frames}/trainA output=out",
            "2026_tripletx: not a run folder, .*did you mean ",
        ),
        ("translate", "run={run} input={frames}/trainA output=out memory_limit=nan", "^memory_limit must be > 0 GiB"),
        ("translate", "run={run} split=train output=out", "has no class map; a labelled set is"),
        (
            "translate",
            "run={run} split=trian output=out",
            "^split must be one of train, val, got 'trian'; did you mean train",
        ),
        (
            "translate",
            "run={run} split=train data=streets data.root=s output=s/playing_for_data/images/in",
            "in: lies inside the source, .*/images; name",
        ),
        (
            "content",
            "run={run} judge={run} split=vall",
            "^split must be one of train, val, got 'vall'; did you mean",
        ),
        ("content", "run={run} judge={run} worst=0", "^worst must be >= 1, got 0$"),
        ("content", "run={run} judge={run}", "holds no segmenter; name a folder that src.segment wrote$"),
        ("explain", "run={run}x input={frames}/trainA output=out", "2026_tripletx: no such folder; name run folders"),
        ("explain", "run={empty} input={frames}/trainA output=out", "holds no run; name run folders or a sweep"),
        ("explain", "input={frames}/trainA output=out", "^run and weights: name what translates; give run="),
        ("explain", "run={run} weights=a.pth input={frames}/trainA output=out", "^run and weights: exclude each other"),
        ("explain", "weights=a.pth input={frames}/trainA output=out", "^a.pth: no such file; check the path$"),
        ("explain", "run={run} input={empty} output=out", "no images there; looked for"),
        ("explain", "run={run} input={frames}/nowhere output=out", "^input=.*nowhere: no such file or folder"),
        ("explain", "run={run} input={frames}/trainA output={frames}/trainA/o", "^output=.*: lies inside input="),
        ("explain", "run={run} input={frames}/trainA output={text}", "^output=.*notes.txt: is a file; name a folder$"),
        (
            "explain",
            "run={run} input={frames}/trainA output=out accelerator=cud",
            "^accelerator=cud: .*did you mean cud",
        ),
        ("study", "runs=[] data=folders data.root={frames}", "has no class map; a labelled set is"),
        ("study", "data=streets data.root=s runs=[nowhere]", "^runs: nowhere holds no finished run; name run folders"),
        ("segment", "train={frames}/trainA test={frames}/testA", "has no class map; a labelled set is"),
        ("report", "{empty}", "holds no run; name run folders or a sweep that src.train wrote$"),
        ("report", "{run} --output {text}", r"\.txt: cannot be written .*choose another place$"),
    ],
)
def test_a_command_needs_its_folders(
    command: str,
    arguments: str,
    message: str,
    frames: Path,
    translator: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    places = {name: tmp_path / name for name in ("empty", "one", "twins")}
    for place in places.values():
        place.mkdir()
    copyfile(frames / "trainA/0.png", places["one"] / "0.png")
    for suffix in ("png", "jpg"):
        copyfile(frames / "trainA/0.png", places["twins"] / f"0.{suffix}")
    places |= {"text": tmp_path / "notes.txt", "frames": frames, "run": translator}
    places |= {"film": tmp_path / "film.mp4", "full": tmp_path / "full"}
    for name in ("text", "film"):
        places[name].write_text("not an image")
    copytree(frames / "trainA", places["full"])
    if "data=streets" in arguments:
        labelled.streets(tmp_path / "s")
        monkeypatch.setattr("src.data.layouts.write_streets", lambda root: None)  # a small set stands there
    monkeypatch.chdir(tmp_path)
    before = listing(tmp_path, frames, translator)
    own = ["hydra.run.dir=fresh"] if command == "segment" else []
    assert_refused(run(command, [*arguments.format(**places).split(), *own]), message)
    assert listing(tmp_path, frames, translator) == before


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """The kernel refuses to let any file grow beyond so many bytes, as a full disk or a quota does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def parts(folder: Path) -> list[Path]:
    """Files of which no more than a part was written."""
    return list(folder.rglob("*.part"))


def test_a_disk_that_is_full_from_the_start_leaves_no_run(frames: Path, untouched: Path):
    with at_most(1000):
        answer = run_composed("train", untouched / "run", training(frames))
    assert_refused(answer, r"run/config\.yaml: cannot be written \(File too large\)")


@pytest.mark.parametrize(("size", "name"), [(20_000, "images/epoch_0001.png"), (200_000, "last.ckpt")])
def test_a_disk_that_fills_up_ends_the_run_in_one_line_and_tears_no_file(
    size: int, name: str, frames: Path, tmp_path: Path
):
    short = ["trainer.max_epochs=1", "trainer.limit_train_batches=1", "logger=default", "metrics.scores.seeds=1"]
    with at_most(size):
        code, lines = run_composed("train", tmp_path / "run", training(frames, *short))
    assert code == 1
    assert lines[-1].startswith(f"{tmp_path / 'run' / name}: cannot be written (File too large)")
    assert not any("Traceback" in line for line in lines)
    assert parts(tmp_path) == []
    assert not (tmp_path / "run" / name).exists()


@pytest.mark.accepted
def test_a_full_disk_keeps_the_previous_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path / "metrics.json", b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as raised:
        write(tmp_path / "metrics.json", b"new")
    assert raised.value.filename == str(tmp_path / "metrics.json")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


@pytest.mark.parametrize("command", ["translate", "explain", "report", "prepare"])
def test_a_full_disk_ends_a_command_in_one_line(
    command: str, frames: Path, translator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    copytree(translator, tmp_path / "run")
    arguments = {
        "translate": [f"run={tmp_path / 'run'}", f"input={frames}/trainA", f"output={tmp_path / 'out'}"],
        "explain": [f"run={tmp_path / 'run'}", f"input={frames}/trainA", f"output={tmp_path / 'out'}"],
        "report": [str(tmp_path / "run"), "--output", str(tmp_path / "table")],
        "prepare": training(frames, f"data.cache={tmp_path / 'cache'}"),
    }[command]
    monkeypatch.chdir(tmp_path)
    with at_most(100):
        code, lines = run(command, arguments)
    assert (code, len(lines)) == (1, 1), lines
    assert "cannot be written" in lines[0]
    assert [path for path in tmp_path.rglob("*.p*") if path.suffix in (".part", ".png")] == []


@pytest.mark.parametrize("spoilt", ["access", "open"])
def test_a_read_only_folder_is_said(spoilt: str, frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whoever runs the tests, root too: the answers of a read-only folder are given for it."""
    folder = tmp_path / "kept"
    folder.mkdir()
    asked: list[str] = []
    if spoilt == "access":
        access = os.access

        def no_access(path: str | Path, mode: int) -> bool:
            if Path(path) == folder and mode & os.W_OK:
                asked.append(str(path))
                return False
            return access(path, mode)

        monkeypatch.setattr(os, "access", no_access)
    else:
        opened = os.open

        def no_open(path: str | Path, flags: int, *rest: int, **named: int) -> int:
            if folder in Path(path).parents and flags & (os.O_WRONLY | os.O_RDWR):
                asked.append(str(path))
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return opened(path, flags, *rest, **named)

        monkeypatch.setattr(os, "open", no_open)
    monkeypatch.chdir(tmp_path)
    before = listing(tmp_path)
    run_dir = folder / "run" if spoilt == "access" else folder
    assert_refused(
        run("train", [*training(frames), f"hydra.run.dir={run_dir}"]),
        rf"^{folder}.*: cannot be written \(Permission denied\); choose another folder$",
    )
    assert asked
    monkeypatch.undo()
    assert set(listing(tmp_path)) <= set(before)
