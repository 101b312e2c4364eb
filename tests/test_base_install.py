"""What `pip install -e .` brings is enough to translate, train, score and report: no extra is imported on the way."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import TINY
from tests.frames import write_frames
from tests.made import made

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUN = [
    *(*TINY, "data=folders", "data.size=32", "data.load=32", "data.num_workers=0", "data.samples_per_epoch=2"),
    *("trainer.max_epochs=1", "trainer.log_every_n_steps=1", "metrics.scores.seeds=1", "attention=triplet"),
]


def needed(requirements: list[str]) -> set[str]:
    """The names of the distributions here that these need, with all that those need."""
    found: set[tuple[str, str]] = set()
    left = [Requirement(one) for one in requirements]
    while left:
        requirement = left.pop()
        for extra in ("", *requirement.extras):
            if (key := (canonicalize_name(requirement.name), extra)) not in found:
                try:
                    further = map(Requirement, distribution(requirement.name).requires or [])
                except PackageNotFoundError:  # for another system
                    continue
                found.add(key)
                left += [one for one in further if one.marker is None or one.marker.evaluate({"extra": extra})]
    return {name for name, _ in found}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages as a fresh `pip install -e .` makes it, by links to those of this environment."""
    folder = tmp_path_factory.mktemp("base") / "site-packages"
    folder.mkdir()
    for name in needed(PROJECT["dependencies"]):
        package = distribution(name)
        for top in {Path(str(file)).parts[0] for file in package.files or []} - {"..", "__pycache__"}:
            place = Path(str(package.locate_file(top)))
            if not (folder / top).exists() and place.exists():
                (folder / top).symlink_to(place)
    return folder


def typed(base: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    own = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(base)]), "HOME": str(folder)}
    line = [sys.executable, "-S", *arguments]
    return subprocess.run(line, cwd=folder, env=own, capture_output=True, text=True)


def test_the_extras_are_not_in_it(base: Path, tmp_path: Path):
    """Or nothing below would be shown."""
    names = ["wandb", "pytest", "onnx", "timm", "av", "segmentation_models_pytorch", "submitit", "huggingface_hub"]
    code = f"import importlib.util as u; print([n for n in {names} if u.find_spec(n)], bool(u.find_spec('torch')))"
    assert typed(base, tmp_path, "-c", code).stdout == "[] True\n"


IN_TURN = """
import json, os, runpy, sys
from tests import garbage
with garbage.not_looked_for():
    import src.training.run  # seconds, and once for all
for line in json.loads(sys.argv[1]):
    if command := os.fork():
        if code := os.waitstatus_to_exitcode(os.waitpid(command, 0)[1]):
            sys.exit(f"{line}: exit code {code}")
    else:
        sys.argv = line
        runpy.run_module(line[0], run_name="__main__", alter_sys=True)
        sys.exit()
"""


def test_a_training_its_report_and_its_translations_need_no_extra(base: Path, tmp_path: Path):
    root, run = write_frames(tmp_path / "frames"), tmp_path / "run"
    commands = (
        ["src.train", *RUN, f"data.root={root}", f"hydra.run.dir={run}"],
        ["src.report", str(run), "--output", str(tmp_path / "report")],
        ["src.translate", f"run={run}", f"input={root}/testA", f"output={tmp_path}/out"],
        ["src.explain", f"run={run}", f"input={root}/testA", f"output={tmp_path}/maps"],
        ["src.evaluate", f"real={root}/testB", f"fake={tmp_path}/out", "metrics.scores.seeds=1"],
        ["src.export", f"run={run}", "format=safetensors", f"output={tmp_path}/g.safetensors"],
        ["src.runs", str(tmp_path)],
        ["src.data.check", "data=folders", f"data.root={root}"],
    )
    done = typed(base, tmp_path, "-c", IN_TURN, json.dumps(commands))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report/report.html").is_file()
    assert (tmp_path / "g.safetensors").is_file()


def test_the_shipped_weights_need_no_extra(base: Path, tmp_path: Path):
    done = typed(base, tmp_path, str(ROOT / "examples/translate_streets.py"), str(tmp_path / "try"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "try/side_by_side.png").is_file()


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("target", ["try", "demo"])
@pytest.mark.parametrize(("there", "installs"), [([], "'.'"), ([".base"], None), ([".ready"], None)])
def test_make_installs_no_extra_for_a_look(target: str, there: list[str], installs: str | None, tmp_path: Path):
    lines = dry(tmp_path, target, there)
    assert [line.rpartition(" ")[2] for line in lines if " pip install " in line] == ([installs] if installs else [])


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("target", ["install", "check", "test"])
@pytest.mark.parametrize(("there", "installs"), [([], "'.[dev]'"), ([".base"], "'.[dev]'"), ([".ready"], None)])
def test_make_installs_all_extras_for_work_on_the_code(
    target: str, there: list[str], installs: str | None, tmp_path: Path
):
    lines = dry(tmp_path, target, there)
    assert [line.rpartition(" ")[2] for line in lines if " pip install " in line] == ([installs] if installs else [])


@pytest.mark.parametrize("target", ["try", "install"])
def test_a_machine_without_a_gpu_can_leave_out_what_only_a_gpu_needs(target: str, tmp_path: Path):
    for cpu, index in (([], []), (["TORCH=cpu"], ["https://download.pytorch.org/whl/cpu"])):
        folder = tmp_path / str(len(cpu))
        folder.mkdir()
        (line,) = (line for line in dry(folder, target, [], *cpu) if " pip install " in line)
        words = shlex.split(line)
        assert [after for word, after in pairwise(words) if word == "--extra-index-url"] == index
        assert words[words.index("-c") + 1] == "constraints.txt"


def dry(folder: Path, target: str, there: list[str], *settings: str) -> list[str]:
    """What make would run in a checkout whose .venv holds these stamps."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv").mkdir()
    for name in there:
        (folder / ".venv" / name).touch()
    done = made(folder, "--dry-run", target, *settings)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
