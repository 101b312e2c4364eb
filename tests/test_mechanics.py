"""experiments/mechanics.py: its measures against loops, and as a user runs it."""

import csv
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest
import torch

from experiments.mechanics import at_border, cosines, main, overlap
from src.networks.generator import TAPS
from src.training.run import train
from tests.conftest import TINY, UNDRAWN, config
from tests.frames import write_frames

ROOT = Path(__file__).resolve().parent.parent


def draws(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_overlap_against_sets():
    places = draws(4, 30).argsort(1)[:, :7]
    sets = [set(image.tolist()) for image in places]
    expected = sum(len(a & b) / 7 for a, b in permutations(sets, 2)) / 12
    assert overlap(places, 30) == pytest.approx(expected)
    assert overlap(places[:1].expand(3, -1), 30) == 1


def test_border_against_a_loop():
    places = draws(3, 16 * 24).argsort(1)[:, :40]
    outer = [p // 24 < 2 or p // 24 >= 14 or p % 24 < 3 or p % 24 >= 21 for image in places.tolist() for p in image]
    assert at_border(places, (16, 24)) == pytest.approx(sum(outer) / 120)


def test_cosines_against_a_loop():
    key = torch.nn.functional.normalize(draws(2, 6, 5) - 0.5, dim=2)
    mean, largest = [], []
    for image in key:
        for i in range(6):
            others = [float(image[i] @ image[j]) for j in range(6) if j != i]
            mean.append(sum(others) / 5)
            largest.append(max(others))
    assert cosines(key) == pytest.approx((sum(mean) / 12, sum(largest) / 12), abs=1e-6)


def test_a_trained_run_has_a_line_a_tap(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    root = write_frames(tmp_path / "frames")
    small = ["data=folders", f"data.root={root}", "data.size=32", "data.load=32", "data.num_workers=0"]
    few = ["trainer.max_epochs=1", "data.samples_per_epoch=2", "metrics.scores=null", "attention=bam"]
    (tmp_path / "run").mkdir()
    train(config(*TINY, UNDRAWN, *small, *few), tmp_path / "run")
    command = [sys.executable, "experiments/mechanics.py", str(tmp_path / "run"), "--frames", str(root / "trainA")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = list(csv.DictReader(done.stdout.splitlines()))
    assert [line["tap"] for line in lines] == list(TAPS)
    for line in lines:
        assert float(line["grad_heads"]) > 0
        assert float(line["grad_attention"]) > 0
        assert -1 <= float(line["rank_start"]) <= 1
        assert 0 <= float(line["overlap"]) <= 1
        assert float(line["cosine"]) <= float(line["cosine_max"])

    capsys.readouterr()
    main([str(tmp_path / "run"), "--frames", str(root / "trainA"), "--markdown"])
    head, rule, *rows = capsys.readouterr().out.splitlines()
    assert {line.count("|") for line in (head, rule, *rows)} == {10}
    assert [row.split("|")[1].strip() for row in rows] == [f"run, {tap}" for tap in TAPS]
    for line, row in zip(lines, rows, strict=True):
        cells = [cell.strip() for cell in row.split("|")[2:-1]]
        assert cells[0] == "1"
        assert float(cells[2]) == pytest.approx(float(line["rank_start"]), abs=0.006)
        assert cells[6] == f"{float(line['nce']):.2f} ({float(line['nce_random']):.2f})"


def test_the_seeds_of_a_row_stand_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    names = ["overlap", "border", "cosine", "nce"]
    measured = {name: 0.25 for one in names for name in (one, f"{one}_random")} | {"nce_raw": 2.0}
    for seed, gradient in ((0, 1.0), (3, 4.0)):
        line = {"run": f"bam_seed{seed}", "n": 8, "seed": seed, "tap": "down1", "ranked": "true"}
        line |= {"grad_attention": gradient, "grad_heads": 8.0, "rank_start": 0.5, **measured, "nce": float(seed)}
        with (tmp_path / f"{seed}.csv").open("w") as file:
            table = csv.DictWriter(file, list(line))
            table.writeheader()
            table.writerow(line)
    main([str(tmp_path / "0.csv"), str(tmp_path / "3.csv"), "--markdown"])
    *_, row = capsys.readouterr().out.splitlines()
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[:4] == ["bam, down1", "2", "0.125 to 0.500", "0.50"]
    assert cells[-2:] == ["1.50 (0.25)", "2.00"]


def test_lines_of_an_earlier_csv_stay_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    made = "run,n,seed,tap,ranked,grad_heads\nbam_seed123456,32768,123456,down1,true,0.2159\n"
    (tmp_path / "made.csv").write_text(made)
    main([str(tmp_path / "made.csv")])
    assert capsys.readouterr().out.splitlines() == made.splitlines()


def test_run_folders_need_frames(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["outputs/run"])
    assert "outputs/run: name a folder of source frames, --frames" in capsys.readouterr().err
