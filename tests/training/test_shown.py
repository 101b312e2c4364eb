"""What a training says of its scores when it ends."""

import json
from pathlib import Path

import pytest

from src.training.run import _show

KEPT = Path(__file__).resolve().parents[2] / "experiments/streets_table1_v2/runs/cut_seed0/metrics.json"


def test_scores_are_whole_in_a_terminal_of_80_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "80")
    metrics = json.loads(KEPT.read_text())["metrics"]
    names = ["kid_efficientnet_lite0", "fid_efficientnet_lite0", "swd_std", "sharpness"]
    _show(tmp_path, metrics, names, 3)
    lines = capsys.readouterr().err.splitlines()
    shown = {line.split()[0]: line.split() for line in lines if line.strip() and line.split()[0] in names}
    assert shown.keys() == set(names)
    assert shown["sharpness"][1:4] == ["→", "1", f"{metrics['sharpness']:.4f}"]
    suffixes = ("", "_raw", "_source", "_transfer", "_aligned", "_floor")
    assert shown["fid_efficientnet_lite0"][2:] == [f"{metrics[f'fid_efficientnet_lite0{of}']:.1f}" for of in suffixes]
    assert all("…" not in line for line in lines)
