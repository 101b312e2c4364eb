"""Runs a kept experiment: whatever is missing of its runs, several at a time, and its table after each.

    python experiments/run.py streets_table1
    python experiments/run.py carla2camvid_table1 --jobs 14 --set trainer=gpu

An experiment is a folder beside this file with a sweep.yaml: `overrides` that every run gets, `rows` (one override a
row) and `seeds`. Runs are made in outputs/experiments/<name>/; what the table is made of (metrics.json, cost.json,
config.yaml, a small panel of the first seed) is kept in experiments/<name>/runs/, from which
`python -m src.report experiments/<name>` makes the table again. It may be stopped at any moment: finished runs are
skipped and begun ones continued.
"""

import argparse
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from omegaconf import OmegaConf
from PIL import Image
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
PANEL = 900  # pixels, the width of a kept panel


def command(folder: Path, overrides: list[str]) -> list[str]:
    """What makes or continues the run in `folder`."""
    train = [sys.executable, "-m", "src.train"]
    if (folder / "last.ckpt").exists():
        return [*train, f"resume={folder}"]
    return [*train, *overrides, f"hydra.run.dir={folder}"]


def finish(folder: Path, overrides: list[str]) -> int:
    """Run until metrics.json is there; one thread, so that jobs side by side do not hold each other up."""
    if (folder / "metrics.json").exists():
        return 0
    if folder.exists() and not (folder / "last.ckpt").exists():
        shutil.rmtree(folder)  # stopped before its first checkpoint
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.log").open("a") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            command(folder, overrides), cwd=ROOT, env=environment, stdout=log, stderr=log, check=False
        ).returncode


def keep(folder: Path, kept: Path, *, panel: bool) -> None:
    """Copy what the table is made of."""
    kept.mkdir(parents=True, exist_ok=True)
    for name in ("config.yaml", "metrics.json", "cost.json"):
        shutil.copyfile(folder / name, kept / name)
    panels = sorted((folder / "images").glob("epoch_*.png"))
    if panel and panels:
        image = Image.open(panels[-1]).convert("RGB")
        image.resize((PANEL, round(image.height * PANEL / image.width)), Image.Resampling.LANCZOS).save(
            kept / "panel.jpg", quality=85
        )


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of a folder beside this file")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--set", nargs="*", default=[], metavar="OVERRIDE", help="further overrides for every run")
    options = parser.parse_args()
    experiment = ROOT / "experiments" / options.name
    if not (experiment / "sweep.yaml").is_file():
        print(f"{experiment / 'sweep.yaml'}: not there; name a folder that has one", file=sys.stderr)
        return 1
    sweep = OmegaConf.load(experiment / "sweep.yaml")
    failed = []
    with ThreadPoolExecutor(options.jobs) as pool:
        jobs = {}
        for seed in sweep.seeds:
            for row in sweep.rows:
                label = f"{row.rpartition('=')[2]}_seed{seed}"
                folder = ROOT / "outputs" / "experiments" / options.name / label
                overrides = [row, f"seed={seed}", *sweep.overrides, *options.set]
                jobs[pool.submit(finish, folder, overrides)] = (label, folder, seed)
        for job in tqdm(as_completed(jobs), total=len(jobs), desc=options.name, unit="run"):
            label, folder, seed = jobs[job]
            if job.result() != 0:
                failed.append(label)
                print(f"{label} failed: {folder}.log", file=sys.stderr)
                continue
            keep(folder, experiment / "runs" / label, panel=seed == sweep.seeds[0])
            report = [sys.executable, "-m", "src.report", f"experiments/{options.name}"]
            subprocess.run(report, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    print(f"experiments/{options.name}/table.md")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
