"""Runs a kept experiment: whatever is missing of it, several jobs at a time, and its table.

    python experiments/run.py streets_table1
    python experiments/run.py carla2camvid_table1 --jobs 14 --set trainer=gpu

An experiment is a folder beside this file, and is told by the file in it:

- sweep.yaml: trainings. `overrides` that every run gets, `rows` (an override each, or a name and several) and `seeds`;
  `beside`, kept runs of other experiments that the table shows as well; `contrasts`, what is asked of the rows, and
  `against`, kept runs of other experiments that are asked about without a place in the table (contrasts.py).
- study.yaml: a downstream study of the runs of the experiment `of`, with its `overrides`.
- content.yaml: a judge (`judge`: what src.segment gets) looks at every run of the experiment `of`.

All is made in outputs/experiments/<name>/. What the table is made of is kept beside the file (of a run metrics.json,
cost.json, config.yaml and, of the first seed, a small panel and four frames; of a study study.json), and from it
`python -m src.report experiments/<name>` makes the table again. It may be stopped at any moment: what is finished is
skipped and what was begun goes on.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event, Lock
from typing import Any

from omegaconf import DictConfig, OmegaConf
from PIL import Image
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import contrasts

from src.system import stopping
from src.system.arguments import Arguments
from src.system.errors import UserError
from src.tables.page import frames
from src.tables.table.collect import collect

ROOT = Path(__file__).resolve().parent.parent
MADE, KEPT = ROOT / "outputs" / "experiments", ROOT / "experiments"
PANEL = 0.4  # of its sides, what a kept panel has; the same for all, so that their pictures are of one size
OF_A_RUN = ("config.yaml", "metrics.json", "cost.json")
RUNNING, STARTING, STOPPED = set[subprocess.Popen[bytes]](), Lock(), Event()


def module(log: Path, name: str, *arguments: str) -> int:
    """Run a command of the package on one thread: jobs side by side share the machine, and sums keep an order."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file, STARTING:
        if STOPPED.is_set():
            return 130
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", name, *arguments]
        # in a session of its own: Ctrl-C in a terminal reaches this script alone, which passes it on once
        job = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file, start_new_session=True)
        RUNNING.add(job)
    code = job.wait()
    RUNNING.discard(job)
    return code


def finish(name: str, folder: Path, overrides: list[str]) -> int:
    """Run src.train or src.segment until metrics.json is there."""
    if (folder / "metrics.json").exists():
        return 0
    begun = (folder / "last.ckpt").exists()
    if folder.exists() and not begun:
        shutil.rmtree(folder)  # stopped before its first checkpoint
    log = folder.parent / f"{folder.name}.log"
    return module(log, name, *([f"resume={folder}"] if begun else [*overrides, f"hydra.run.dir={folder}"]))


def keep(folder: Path, kept: Path, *, panel: bool) -> None:
    """Copy what the table is made of."""
    kept.mkdir(parents=True, exist_ok=True)
    for name in OF_A_RUN:
        shutil.copyfile(folder / name, kept / name)
    panels = sorted((folder / "images").glob("epoch_*.png"))
    if panel and panels:
        image = Image.open(panels[-1]).convert("RGB")
        size = round(image.width * PANEL), round(image.height * PANEL)
        image.resize(size, Image.Resampling.LANCZOS).save(kept / "panel.jpg", quality=85)
    if panel:
        (run,) = collect([folder]).finished
        frames.keep(run, kept)


def labels(sweep: Any) -> Iterator[tuple[str, list[str], int]]:
    """Name, row (its overrides) and seed of every run of a sweep, a seed after the other."""
    named = isinstance(sweep.rows, DictConfig)
    rows = {name: list(row) for name, row in sweep.rows.items()} if named else {}
    rows = rows or {row.rpartition("=")[2]: [row] for row in sweep.rows}
    for seed in sweep.seeds:
        for name, row in rows.items():
            yield f"{name}_seed{seed}", row, seed


def table1(name: str, sweep: Any, jobs: int, further: list[str]) -> list[str]:
    """Train, and report after each run; returns what failed."""

    def one(label: str, row: list[str], seed: int) -> int:
        folder = MADE / name / label
        code = finish("src.train", folder, [*row, f"seed={seed}", *sweep.overrides, *further])
        if code == 0:
            keep(folder, KEPT / name / "runs" / label, panel=seed == sweep.seeds[0])
        return code

    return at_once(name, jobs, {label: (one, label, row, seed) for label, row, seed in labels(sweep)})


def study(name: str, settings: Any, further: list[str]) -> list[str]:
    """The downstream study, its segmenters one after the other."""
    output = MADE / name
    arguments = [f"runs=[{MADE / settings.of}]", f"output={output}", *settings.overrides, *further]
    if module(MADE / f"{name}.log", "src.study", *arguments) != 0:
        return [name]
    shutil.copyfile(output / "study.json", KEPT / name / "study.json")
    return [] if report(name) == 0 else [name]


def content(name: str, settings: Any, jobs: int, further: list[str]) -> list[str]:
    """Train the judge, then let it look at a copy of every finished run."""
    judge = MADE / name / "judge"
    if finish("src.segment", judge, [*settings.judge, *further]) != 0:
        return ["judge"]
    shutil.copyfile(judge / "metrics.json", KEPT / name / "judge.json")
    shutil.copyfile(judge / "config.yaml", KEPT / name / "judge.yaml")

    def one(run: Path) -> int:
        folder = MADE / name / "runs" / run.name
        if not (folder / "content.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            for file in (*OF_A_RUN, "weights.safetensors"):
                shutil.copyfile(run / file, folder / file)  # src.content adds to metrics.json, and the run's own stays
            log = MADE / name / f"{run.name}.log"
            if (code := module(log, "src.content", f"run={folder}", f"judge={judge}")) != 0:
                return code
        kept = KEPT / name / "runs" / run.name
        keep(folder, kept, panel=False)
        shutil.copyfile(folder / "content.json", kept / "content.json")
        return 0

    done = sorted(path.parent for path in (MADE / settings.of).glob("*/metrics.json"))
    return at_once(name, jobs, {run.name: (one, run) for run in done})


def at_once(name: str, jobs: int, calls: dict[str, tuple[Callable[..., int], *tuple[Any, ...]]]) -> list[str]:
    """Make calls, so many at a time, and the table after each; returns the labels of what failed, or of the table."""
    failed, refused = list[str](), 0
    with ThreadPoolExecutor(jobs) as pool:
        try:
            waiting = {pool.submit(call, *arguments): label for label, (call, *arguments) in calls.items()}
            for job in tqdm(as_completed(waiting), total=len(waiting), desc=name, unit="run"):
                if job.result() != 0:
                    failed.append(waiting[job])
                    print(f"{waiting[job]} failed: see its log in {MADE / name}", file=sys.stderr)
                else:
                    refused = report(name)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)  # nothing more is started
            stop()
            raise
    return [*failed, *([name] if refused else [])]


def stop() -> None:
    """Start no further job; ask those under way to write a checkpoint and end, and wait for them."""
    with STARTING:
        STOPPED.set()
        jobs = list(RUNNING)
    for job in jobs:
        job.terminate()
    for job in jobs:
        job.wait()


def report(name: str) -> int:
    """Make the table from what is kept."""
    folders = [f"experiments/{name}"]
    if (file := KEPT / name / "sweep.yaml").is_file():
        sweep = OmegaConf.load(file)
        try:
            contrasts.write_answers(KEPT / name, sweep)
        except UserError as error:
            print(error, file=sys.stderr)
            return 1
        folders += [str(path.relative_to(ROOT)) for path in contrasts.of_others(KEPT / name, sweep, "beside")]
    command = [sys.executable, "-m", "src.report", *folders, "--output", folders[0]]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode


def main() -> int:
    """Entry point."""
    parser = Arguments("python experiments/run.py", __doc__ or "")
    parser.add_argument("name", help="of a folder beside this file")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--set", nargs="*", default=[], metavar="OVERRIDE", help="further overrides for every run")
    options = parser.parse_args()
    folder = KEPT / options.name
    kinds = [kind for kind in ("sweep", "study", "content") if (folder / f"{kind}.yaml").is_file()]
    if not kinds:
        print(f"{folder}: no experiment; name a folder with sweep.yaml, study.yaml or content.yaml", file=sys.stderr)
        return 1
    settings = OmegaConf.load(folder / f"{kinds[0]}.yaml")
    if kinds[0] == "sweep":
        failed = table1(options.name, settings, options.jobs, options.set)
    elif kinds[0] == "study":
        failed = study(options.name, settings, options.set)
    else:
        failed = content(options.name, settings, options.jobs, options.set)
    print(f"experiments/{options.name}/table.md")
    return 1 if failed else 0


def until_stopped(command: Callable[[], int]) -> int:
    """Its exit code; Ctrl-C and SIGTERM end the jobs first."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is started with it ignored
    with stopping.ending("stopped; the same command goes on"):
        try:
            return command()
        except KeyboardInterrupt:
            stop()
            raise


if __name__ == "__main__":
    sys.exit(until_stopped(main))
