"""The manifest of a folder of translations."""

import json
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from src.system.errors import UserError
from src.system.files import sha256
from src.translation.manifest import MANIFEST, Manifest

OURS = {"weights_sha256": "a", "average": True}


def make(made: Manifest, source: Path, target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    made.note(source, target, sha256(target))


def test_many_threads_write_whole_lines(tmp_path: Path):
    jobs = [(tmp_path / f"{number}.png", tmp_path / f"out/deep/{number}.png") for number in range(200)]
    for source, _ in jobs:
        source.write_text(source.name)
    made = Manifest(tmp_path / "out", OURS)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda job: make(made, *job, job[1].name.encode()), jobs))
    again = Manifest(tmp_path / "out", OURS)
    assert again.todo(jobs, overwrite=False) == []
    assert again.of(jobs[7][1])["source_sha256"] == sha256(jobs[7][0])
    assert len((tmp_path / "out" / MANIFEST).read_text().splitlines()) == 200


def test_a_torn_line_is_no_line_and_is_not_grown_onto(tmp_path: Path):
    jobs = [(tmp_path / f"{n}.png", tmp_path / f"out/{n}.png") for n in range(2)]
    for source, _ in jobs:
        source.write_text(source.name)
    make(Manifest(tmp_path / "out", OURS), *jobs[0], b"0")
    manifest = tmp_path / "out" / MANIFEST
    whole = manifest.read_bytes()
    manifest.write_bytes(whole + b'{"file": "1.p')
    made = Manifest(tmp_path / "out", OURS)
    assert made.todo(jobs, overwrite=False) == jobs[1:]
    make(made, *jobs[1], b"1")
    assert manifest.read_bytes().startswith(whole)
    assert Manifest(tmp_path / "out", OURS).todo(jobs, overwrite=False) == []


def test_a_full_disk_leaves_no_half_a_line(tmp_path: Path):
    (tmp_path / "0.png").touch()
    made = Manifest(tmp_path / "out", OURS)
    make(made, tmp_path / "0.png", tmp_path / "out/0.png", b"0")
    whole = (tmp_path / "out" / MANIFEST).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 10, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            made.note(tmp_path / "0.png", tmp_path / "out/0.png", "b")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "out" / MANIFEST).read_bytes() == whole


def test_killed_while_a_changed_source_is_made_anew(tmp_path: Path):
    job = (tmp_path / "0.png", tmp_path / "out/0.png")
    job[0].write_text("first")
    made = Manifest(tmp_path / "out", OURS)
    make(made, *job, b"first")
    job[0].write_text("second")
    made.note(*job, "the hash of what was never written")
    assert Manifest(tmp_path / "out", OURS).todo([job], overwrite=False) == [job]


@pytest.mark.parametrize("line", ["no json", "[]", "3", "{}", json.dumps({"file": "a", "made_by": OURS})])
def test_a_manifest_of_something_else_is_refused(line: str, tmp_path: Path):
    (tmp_path / MANIFEST).write_text(line + "\n")
    with pytest.raises(UserError, match=r"\.translate\.jsonl: line 1 is no file's; name another folder"):
        Manifest(tmp_path, OURS)


def test_a_source_that_has_gone_is_said(tmp_path: Path):
    job = (tmp_path / "0.png", tmp_path / "out/0.png")
    job[0].write_text("first")
    made = Manifest(tmp_path / "out", OURS)
    make(made, *job, b"first")
    job[0].unlink()
    with pytest.raises(UserError, match=r"0\.png: cannot be read \(No such file or directory\); was the folder ch"):
        made.todo([job], overwrite=False)
