"""What only a GPU can show of trainer=gpu: a verdict a line, about ten minutes on one card.

    make verify-gpu
    python benchmarks/verify_gpu.py --rehearse      # the same runs on a CPU, without recording: that this file works

Trainings are commands as a user types them, on frames that are written here, of `experiment=paper` at width 16 and
128 x 128 unless a line says otherwise. A line is `ok` or `FAIL`, what was asked, and the number; the exit code is 1
after a FAIL. All files are in a temporary folder.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parent.parent
FRAMES, SIDE = 24, 128
DETERMINISTIC = ("trainer.deterministic=true", "trainer.benchmark=false")
OVERHEAD = 1.10  # of an attention's step, over CUT's


class Failed(Exception):
    """A command did not end as it should; its last line."""


class Bench:
    """Runs trainings in a folder.

    Args:
        folder: for all files.
        trainer: overrides that choose the device.
    """

    def __init__(self, folder: Path, trainer: list[str]) -> None:
        self.folder = folder
        self.trainer = trainer
        self.frames = folder / "frames"
        draws = np.random.default_rng(0)
        for name in ("trainA", "trainB", "testA", "testB"):
            (self.frames / name).mkdir(parents=True)
            for number in range(FRAMES):
                coarse = Image.fromarray(draws.integers(0, 256, (12, 12, 3), dtype=np.uint8))
                coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(self.frames / name / f"{number}.png")

    def command(self, name: str, *overrides: str, steps: int = 20) -> list[str]:
        """A training of so many steps into the folder `name`."""
        fixed = [
            *("experiment=paper", "data=folders", f"data.root={self.frames}", f"data.size={SIDE}", "data.load_scale=1"),
            *("data.num_workers=2", f"data.samples_per_epoch={steps}", "trainer.max_epochs=1"),
            *("generator.width=16", "discriminator.width=16", "trainer.log_every_n_steps=1"),
            *("metrics.scores=null", "callbacks.image_grid.images=1", "callbacks.checkpoint.every_n_batches=5"),
            f"hydra.run.dir={self.folder / name}",
        ]
        return [sys.executable, "-m", "src.train", *fixed, *self.trainer, *overrides]

    def train(self, name: str, *overrides: str, steps: int = 20) -> Path:
        """Its folder, once it is finished."""
        run(self.command(name, *overrides, steps=steps))
        return self.folder / name

    def stopped_and_resumed(self, name: str, *overrides: str, steps: int = 40) -> Path:
        """The same, stopped by Ctrl-C after its first checkpoint."""
        folder = self.folder / name
        process = subprocess.Popen(
            self.command(name, *overrides, steps=steps), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while not (folder / "last.ckpt").is_file() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        if process.wait() != 128 + signal.SIGINT:
            raise Failed("it ended before it could be stopped; nothing was resumed")
        run([sys.executable, "-m", "src.train", f"resume={folder}"])
        return folder


def run(command: list[str]) -> str:
    """Its stdout; raises Failed with its last line if it does not end well."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed((done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1])
    return done.stdout


def furthest(one: Path, other: Path) -> float:
    """Largest difference of any weight of two runs."""
    a, b = (load_file(folder / "weights.safetensors") for folder in (one, other))
    return max(float((a[key].double() - b[key].double()).abs().max()) for key in a)


def curve(folder: Path, term: str) -> np.ndarray:
    """A logged term, batch after batch."""
    (path,) = folder.glob("logs/**/metrics.csv")
    lines = [line.split(",") for line in path.read_text().splitlines()]
    place = lines[0].index(f"train/{term}")
    return np.array([float(line[place]) for line in lines[1:] if line[place]])


def checks(bench: Bench, *, rehearse: bool) -> Iterator[tuple[str, Callable[[], tuple[bool, str]]]]:
    """What is asked, and what answers: whether it holds, and the number."""
    repeatable = () if rehearse else DETERMINISTIC  # as trainer=cpu is

    def recorded(*precision: str) -> tuple[bool, str]:
        plain = bench.train(f"plain{len(precision)}", *precision, "module.cuda_graph=false")
        graph = bench.train(f"graph{len(precision)}", *precision)
        return (gap := furthest(plain, graph)) == 0, f"weights differ by {gap:.2g} after 20 steps"

    def repeated() -> tuple[bool, str]:
        one, other = (bench.train(f"again{number}", *repeatable) for number in range(2))
        return (gap := furthest(one, other)) == 0, f"weights differ by {gap:.2g}"

    def resumed() -> tuple[bool, str]:
        whole = bench.train("whole", *repeatable, steps=40)
        again = bench.stopped_and_resumed("stopped", *repeatable)
        return (gap := furthest(whole, again)) == 0, f"weights differ by {gap:.2g}"

    def precise() -> tuple[bool, str]:
        curves = [
            curve(bench.train(f"long{precision}", f"trainer.precision={precision}", steps=500), "nce_x")[-100:].mean()
            for precision in ("32-true", "bf16-mixed")
        ]
        apart = abs(curves[1] / curves[0] - 1)
        return apart < 0.05, f"nce_x of steps 400 to 500: {curves[1]:.4f} against {curves[0]:.4f}"

    def overhead() -> tuple[bool, str]:
        names = ["none+fast", *(f"{name}+fast" for name in ("triplet", "external", "bam", "self"))]
        printed = run(
            [sys.executable, "benchmarks/step.py", "--device", "cuda", "--no-memory", "--steps", "10", "--only", *names]
        )
        rows = json.loads(printed.splitlines()[-1])["rows"]
        ratios = {row["step"].partition("+")[0]: row["time / none+fast"] for row in rows[1:]}
        said = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
        return max(ratios.values()) <= OVERHEAD, f"{said} of CUT's {rows[0]['seconds']:.4f} s at 256 x 256, width 64"

    def memory() -> tuple[bool, str]:
        found = []
        for side in (256, 512, 1024):
            command = [sys.executable, "benchmarks/step.py", "--device", "cuda", "--size", str(side)]
            found.append(f"{side}: {float(run([*command, '--measure-memory', 'triplet+fast']).split()[-1]):.1f} GB")
        return True, ", ".join(found)

    def tests() -> tuple[bool, str]:
        command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/training/test_cuda_graph.py"]
        last = run(command).strip().splitlines()[-1]
        return "passed" in last and "skipped" not in last, last

    if not rehearse:
        yield "the tests that need a GPU", tests
        yield (
            "a recorded step is the plain one to the bit, fp32",
            lambda: recorded("trainer.precision=32-true", *DETERMINISTIC),
        )
        yield "a recorded step is the plain one to the bit, bf16", lambda: recorded(*DETERMINISTIC)
    yield "the same seed gives the same weights to the bit", repeated
    yield "a stopped and resumed run is the whole one to the bit", resumed
    if not rehearse:
        yield "bf16 trains as fp32 does, within 5 %", precise
        yield f"an attention's step takes at most {OVERHEAD} of CUT's", overhead
        yield "peak memory of a step, triplet, width 64", memory


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rehearse", action="store_true", help="on a CPU, without what needs a GPU")
    options = parser.parse_args()
    if not torch.cuda.is_available() and not options.rehearse:
        print("no NVIDIA GPU that PyTorch can use here: nothing was verified", file=sys.stderr)
        return 1
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # which deterministic mode asks for
    where = "cpu" if options.rehearse else torch.cuda.get_device_name()
    print(f"{where}, torch {torch.__version__}")
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), ["trainer=cpu"] if options.rehearse else ["trainer=gpu"])
        for asked, answer in checks(bench, rehearse=options.rehearse):
            try:
                holds, said = answer()
            except Failed as error:
                holds, said = False, str(error)
            failed |= not holds
            print(f"{'ok  ' if holds else 'FAIL'} {asked}: {said}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
