"""Kills real trainings with SIGKILL at seeded random moments and resumes them: python -m tests.faults.

Each run is the command `python -m src.train`, in a process of its own forked from this one, which has imported it
already. A moment is a phase and one of the function calls made in it: the phases of an uninterrupted run are counted
first, call by call, and the victim kills itself at the call that was drawn. So the phase is known, and a seed repeats
its moments. What is resumed must end as the uninterrupted run did, bit for bit.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from src import train
from src.report import main as print_report
from src.runs import run as runs_run
from src.runs.folder import CHECKPOINT, METRICS, PREVIOUS, WEIGHTS
from src.tables import report
from src.training import run as training_run
from src.training.callbacks.checkpoint import WholeFileIO
from src.training.translation import Translation
from src.training.validation import Validation
from tests.conftest import TINY
from tests.frames import write_frames

PHASES = ("step", "checkpoint", "evaluation", "table")
TABLE = ("table.md", "table.csv", "table.tex", "table.png", "runs.csv")
EPOCH = 6
PATIENCE = 180.0


@dataclass(frozen=True)
class Setting:
    """What is trained; `least` are the batches done before a step may be hit."""

    overrides: Sequence[str]
    least: int = 0


SWEEP = "-m"
SETTINGS = {
    "workers, gumbel": Setting(["attention=triplet", "selection=gumbel", "data.num_workers=2"], least=3),
    # pools that are full after two batches; the second checkpoint is the first that can hold them
    "cyclegan": Setting(["method=cyclegan", "method.pool=2"], least=3),
    "accumulate, best": Setting(["attention=self", "module.accumulate=2", "metrics.every_n_epochs=1"]),
    "sweep": Setting([SWEEP, "attention=none,triplet", "trainer.max_epochs=1"]),
}
PLAN = [
    *(("step", name) for name in ("workers, gumbel", "workers, gumbel", "cyclegan", "accumulate, best")),
    *(("checkpoint", name) for name in ("workers, gumbel", "cyclegan", "accumulate, best")),
    *(("evaluation", name) for name in ("workers, gumbel", "cyclegan", "accumulate, best")),
    *(("table", "sweep"), ("table", "sweep")),
]


@dataclass
class Watch:
    """Counts the calls of each phase in this process; at call number `at` of `phase` it kills the process.

    Attributes:
        phase: to be hit; None only counts.
        at: from 1.
        least: see Setting.
        pipe: where the last words go.
    """

    phase: str | None
    at: int
    least: int
    pipe: int
    counts: dict[str, int] = field(default_factory=dict)
    trained: bool = False
    batches: int = 0

    def install(self) -> None:
        """Watch the functions that make up the phases."""
        self._watch(Translation, "training_step", "step")
        self._watch(WholeFileIO, "save_checkpoint", "checkpoint")
        for owner, name in ((training_run, "save_weights"), (runs_run, "save_metrics"), (Validation, "score")):
            self._watch(owner, name, "evaluation")
        self._watch(Validation, "references", "evaluation")
        self._watch(report, "write", "table")

    def _watch(self, owner: Any, name: str, phase: str) -> None:
        function: Callable[..., Any] = getattr(owner, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            if phase == "step":
                self.batches = arguments[0].batches
            self.trained |= name == "save_weights"
            counts = {
                "step": self.batches >= self.least,
                "evaluation": self.trained,  # not the scores in between
                "table": phase == "table" and arguments[0].name in TABLE,
            }
            if not counts.get(phase, True):
                return function(*arguments, **options)
            sys.setprofile(lambda frame, event, argument: self._call(phase, event))
            try:
                return function(*arguments, **options)
            finally:
                sys.setprofile(None)

        setattr(owner, name, watched)

    def _call(self, phase: str, event: str) -> None:
        if event not in ("call", "c_call"):
            return
        self.counts[phase] = self.counts.get(phase, 0) + 1
        if (phase, self.counts[phase]) == (self.phase, self.at):
            self.say()
            os.kill(os.getpid(), signal.SIGKILL)

    def say(self) -> None:
        """Write down how far it came."""
        os.write(self.pipe, json.dumps({"counts": self.counts, "batches": self.batches}).encode())


@dataclass(frozen=True)
class Ending:
    """How a process ended: its exit code, or minus the signal; and its last words."""

    code: int
    counts: dict[str, int]
    batches: int


def run(arguments: Sequence[str], log: Path, *, phase: str | None = None, at: int = 0, least: int = 0) -> Ending:
    """`python -m src.train` with `arguments`, or `python -m src.report` if there is but one, watched.

    What it prints goes to `log`.
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(read)
            with log.open("ab") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            os.environ["XDG_CACHE_HOME"] = str(log.parent / "cache")
            watch = Watch(phase, at, least, write)
            watch.install()
            if len(arguments) == 1 and "=" not in arguments[0]:
                code = print_report(arguments)
            else:
                sys.argv = ["src.train", *arguments]
                train.main()
                code = 0
            watch.say()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    os.close(write)
    deadline = time.monotonic() + PATIENCE
    done, status = os.waitpid(pid, os.WNOHANG)
    while not done:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise TimeoutError(f"{' '.join(arguments)}: still running after {PATIENCE:.0f} s; see {log}")
        time.sleep(0.01)
        done, status = os.waitpid(pid, os.WNOHANG)
    # workers of a killed process hold the other end of the pipe until they notice: read what is there, not its end
    os.set_blocking(read, False)
    try:
        words = json.loads(os.read(read, 65536) or b"{}")
    except BlockingIOError:
        words = {}
    os.close(read)
    return Ending(os.waitstatus_to_exitcode(status), words.get("counts", {}), words.get("batches", 0))


def command(setting: Setting, root: Path, folder: Path) -> list[str]:
    """Arguments of the run in `folder`."""
    sweep = [word for word in setting.overrides if word == SWEEP]
    return [
        *sweep,
        *TINY,
        "data=folders",
        f"data.root={root}",
        "data.size=32",
        "data.load=32",
        f"data.samples_per_epoch={EPOCH}",
        "data.num_workers=0",
        "trainer.max_epochs=2",
        "trainer.log_every_n_steps=2",
        "metrics.scores.seeds=1",
        "callbacks.image_grid.images=1",
        "callbacks.checkpoint.every_n_batches=2",
        *(word for word in setting.overrides if word != SWEEP),
        f"hydra.{'sweep' if sweep else 'run'}.dir={folder}",
    ]


def differences(one: Path, other: Path) -> list[str]:
    """What differs between two finished runs, bit for bit."""
    states = []
    for folder in (one, other):
        saved = torch.load(folder / CHECKPOINT, weights_only=True)
        kept = {name: saved[name] for name in ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "batches")}
        kept |= {"weights": load_file(folder / WEIGHTS), "metrics": (folder / METRICS).read_bytes()}
        states.append(dict(_leaves(kept, "")))
    first, second = states
    names = sorted(first.keys() | second.keys())
    return [name for name in names if not _same(first.get(name), second.get(name))]


def _leaves(node: Any, name: str) -> list[tuple[str, Any]]:
    if isinstance(node, dict):
        return [leaf for key, value in node.items() for leaf in _leaves(value, f"{name}/{key}")]
    if isinstance(node, list | tuple):
        return [leaf for index, value in enumerate(node) for leaf in _leaves(value, f"{name}/{index}")]
    return [(name, node)]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return type(one) is type(other) and one == other


def resumed_from(folder: Path) -> tuple[int, int]:
    """The batch a killed run goes on from, and the images in its pools; 0 and 0 for the beginning."""
    for name in (CHECKPOINT, PREVIOUS):
        if (folder / name).is_file():
            saved = torch.load(folder / name, weights_only=True)
            pools = [v["images"] for k, v in saved["state_dict"].items() if k.endswith("_extra_state")]
            return saved["batches"], sum(map(len, pools))
    return 0, 0


def lost_run(folder: Path, log: Path, whole: Path) -> str:
    """Why the killed run in `folder` is lost; "" if it goes on and ends as the whole one."""
    ending = run([f"resume={folder}"], log)
    if ending.code:
        return f"resume ended with {ending.code}, see {log}"
    if left := list(folder.rglob(".*.part")):
        return f"{left[0]} was not swept"
    different = differences(whole, folder)
    return f"{len(different)} differences, the first is {different[0]}" if different else ""


def lost_sweep(folder: Path, log: Path, whole: Path) -> str:
    """Why the killed sweep in `folder` is lost; "" if its tables are whole, can be rebuilt, and its runs stand."""
    ended = sorted((path.parent for path in folder.rglob(METRICS)), key=lambda f: (f / METRICS).stat().st_mtime)
    wholes = []
    for number in range(1, len(ended) + 1):
        at = folder.parent / f"table_{number}"
        report.report(ended[:number], at)
        wholes.append({name: (at / name).read_bytes() for name in TABLE})
    for name in TABLE:
        if (folder / name).exists() and (folder / name).read_bytes() not in [table[name] for table in wholes]:
            return f"{name} is torn"
    if run([str(folder)], log).code:
        return f"src.report failed, see {log}"
    for name in TABLE:
        if (folder / name).read_bytes() != wholes[-1][name]:
            return f"{name} was not rebuilt"
    for one in ended:
        if different := differences(whole / one.name, one):
            return f"{one.name}: {len(different)} differences, the first is {different[0]}"
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each fault, then the counts; 1 if a run was lost or a phase missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the faults, from 1")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    started = time.monotonic()
    plan = [(number, *fault) for number, fault in enumerate(PLAN, 1) if not options.only or number in options.only]
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        hit, lost, mid_epoch, pools = inject(plan, Path(name), options.seed)
    per_phase = ", ".join(f"{phase} {hit.count(phase)}" for phase in PHASES)
    print(f"faults injected: {len(hit)} of {len(plan)} ({per_phase})")
    print(f"resumed in mid-epoch: {mid_epoch}; with images in pools: {pools}")
    print(f"runs lost: {lost}; {time.monotonic() - started:.0f} s")
    twice = options.only or all(hit.count(phase) >= 2 for phase in PHASES)
    return int(lost > 0 or len(hit) < len(plan) or not twice)


def inject(plan: Sequence[tuple[int, str, str]], base: Path, seed: int) -> tuple[list[str], int, int, int]:
    """Phases hit, runs lost, and how many went on from mid-epoch and with images in their pools."""
    root = write_frames(base / "frames")
    counts: dict[str, dict[str, int]] = {}
    for name in dict.fromkeys(name for _, _, name in plan):
        folder = base / name.replace(", ", "_")
        folder.mkdir()
        setting = SETTINGS[name]
        whole = run(command(setting, root, folder / "run"), folder / "log", least=setting.least)
        if whole.code:
            sys.exit(f"{name}: the uninterrupted run failed\n{(folder / 'log').read_text()}")
        counts[name] = whole.counts
        print(f"whole: {name}: calls {', '.join(f'{p} {n}' for p, n in whole.counts.items())}", file=sys.stderr)
    hit, lost, mid_epoch, pools = list[str](), 0, 0, 0
    for number, phase, name in plan:
        setting = SETTINGS[name]
        calls = counts[name][phase]
        at = random.Random(f"{seed} {number}").randint(1, int(0.9 * calls))
        own, whole_folder = base / f"fault_{number}", base / name.replace(", ", "_") / "run"
        own.mkdir()
        folder, log = own / "run", own / "log"
        ending = run(command(setting, root, folder), log, phase=phase, at=at, least=setting.least)
        if ending.code != -signal.SIGKILL or ending.counts.get(phase) != at:
            print(f"{number:2} {phase:10} {name:16} missed: the run ended with {ending.code}")
            continue
        hit.append(phase)
        went_on, images = (0, 0) if phase == "table" else resumed_from(folder)
        left = sum(1 for _ in folder.rglob(".*.part"))
        why = (lost_sweep if phase == "table" else lost_run)(folder, log, whole_folder)
        lost += bool(why)
        mid_epoch += went_on % EPOCH > 0
        pools += images > 0
        how = f"LOST, {why}" if why else "the same to the bit"
        print(
            f"{number:2} {phase:10} {name:16} killed at call {at} of {calls}, after batch {ending.batches}, "
            f"{left} torn; from batch {went_on}: {how}",
            flush=True,
        )
    return hit, lost, mid_epoch, pools


if __name__ == "__main__":
    sys.exit(main())
