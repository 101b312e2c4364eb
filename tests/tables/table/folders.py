"""Run folders as src.train leaves them, without training."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PROTOCOL = {
    "n_fake": 8,
    "n_real": 8,
    "side": 64,
    "extractor": "inception",
    "extractor_sha256": "abc",
    "data_digest": "d1",
    "batches": 6,
    "commit": "c1",
    "parameters": {"G": 11378179, "D": 2764737, "heads": 560384, "attention": 0},
}
COST = {"seconds": 3.5, "seconds_per_step": 0.25, "peak_process_bytes": 2**30}


def settings(variant: str, seed: int, **changes: Any) -> dict[str, Any]:
    """A resolved configuration in small; a resolved one repeats its groups inside others."""
    selection = {"_target_": "src.networks.selection.topk.TopK", "patches": 64}
    selection = changes.pop("selection", selection)
    attention = {"_target_": f"src.networks.attention.{variant}.Attention"}
    sampler = {"attention": attention, "selection": selection, "taps": ["pixels", "block1"]}
    return {
        "variant": variant,
        "seed": seed,
        "method": {"_target_": "src.methods.cut.CUT", "sampler": sampler},
        "attention": {"module": attention, "taps": ["pixels", "block1"]},
        "selection": selection,
        "data": {"root": f"/somewhere/{seed}", "batch_size": 1, "seed": seed},
        "optimizer": {"lr": 0.001},
        "trainer": {"devices": 1, "accelerator": "cpu"},
        "logger": {"csv": {"name": f"run{seed}"}},
        **changes,
    }


def write_run(
    folder: Path,
    variant: str,
    seed: int,
    metrics: Mapping[str, float] | None,
    *,
    protocol: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Path:
    """A run folder; one without `metrics` has not finished. Changes replace groups of the configuration."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(settings(variant, seed, **changes)))
    if metrics is not None:
        content = {"metrics": dict(metrics), "protocol": {**PROTOCOL, "seed": seed, **(protocol or {})}}
        (folder / "metrics.json").write_text(json.dumps(content))
        (folder / "cost.json").write_text(json.dumps(COST))
    return folder
