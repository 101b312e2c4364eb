"""src.evaluate as a user calls it, against torch-fidelity's own computation on the same folders."""

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from PIL import Image
from torch_fidelity import calculate_metrics

from src.config import schema
from src.evaluate import evaluate
from src.system.errors import UserError
from tests import forked
from tests.conftest import CONF


def evaluation(*overrides: str) -> DictConfig:
    schema.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("evaluate", ["accelerator=cpu", *overrides])


def written(folder: Path, count: int, seed: int, sizes: tuple[tuple[int, int], ...] = ((48, 36),)) -> Path:
    """Smooth coloured noise; the range of colours follows from the seed."""
    folder.mkdir()
    for index in range(count):
        draws = np.random.default_rng([seed, index])
        coarse = Image.fromarray(draws.integers(40 * seed, 256, (6, 8, 3), dtype=np.uint8))
        coarse.resize(sizes[index % len(sizes)], Image.Resampling.BICUBIC).save(folder / f"{index:02d}.png")
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    base = tmp_path_factory.mktemp("folders")
    return written(base / "real", 8, 0), written(base / "fake", 20, 1, ((48, 36), (40, 44)))


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    base = tmp_path_factory.mktemp("few")
    return written(base / "real", 5, 0), written(base / "fake", 5, 1, ((48, 36), (40, 44)))


@pytest.mark.filterwarnings("ignore:.*worker processes in total")  # torch-fidelity's, on few cores
def test_fid_is_and_kid_are_torch_fidelitys_on_the_same_folders(folders: tuple[Path, Path], inception_weights: Path):
    real, fake = folders
    result = evaluate(
        evaluation(f"real={real}", f"fake={fake}", "extractor=inception", f"extractor.weights={inception_weights}")
    )
    found = result["metrics"]
    expected = calculate_metrics(
        input1=str(fake),
        input2=str(real),
        isc=True,
        fid=True,
        kid=True,
        kid_subset_size=8,
        batch_size=1,
        feature_extractor_weights_path=str(inception_weights),
        cuda=False,
        cache=False,
        verbose=False,
    )
    assert found["fid"] == pytest.approx(expected["frechet_inception_distance"], rel=1e-3)
    assert found["is"] == pytest.approx(expected["inception_score_mean"], rel=1e-3)
    assert found["is_std"] == pytest.approx(expected["inception_score_std"], rel=1e-3)
    assert found["kid"] == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-3)
    assert found["kid_std"] == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-3)
    # the networks are random, but not blind
    assert expected["frechet_inception_distance"] > 0.1
    assert expected["inception_score_mean"] > 1.01
    assert abs(expected["kernel_inception_distance_mean"]) > 1e-4
    assert result["protocol"]["kid_subset_size"] == 8


def test_a_set_against_itself_is_at_fid_zero(few: tuple[Path, Path]):
    result = evaluate(evaluation(f"real={few[0]}", f"fake={few[0]}"))
    assert result["metrics"]["fid_efficientnet_lite0"] == pytest.approx(0, abs=1e-6)
    assert result["metrics"]["kid_efficientnet_lite0"] < 0  # unbiased, see test_kid


def test_the_table_says_which_way_a_score_improves_and_which_there_is_not(
    few: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for number in range(4):
        Image.new("RGB", (48, 36), (50 * number, 90, 120)).save(tmp_path / f"{number}.png")
    metrics = evaluate(evaluation(f"real={tmp_path}", f"fake={few[1]}"))["metrics"]
    lines = capsys.readouterr().err.splitlines()
    (sharpness,) = (line.split() for line in lines if line.startswith("sharpness →"))
    assert sharpness == ["sharpness", "→", "1", "-", "-", "-"]  # what has one colour has no detail to compare with
    (kid,) = (line.split() for line in lines if line.startswith("kid_efficientnet_lite0 "))  # whole in 80 columns
    assert kid[1] == "↓"
    assert float(kid[2]) == pytest.approx(metrics["kid_efficientnet_lite0"], abs=0.06)
    assert any(line.startswith("is_efficientnet_lite0 ↑ ") for line in lines)
    assert "sharpness" not in metrics


def test_the_command_prints_json_alone_and_a_table_beside_it(few: tuple[Path, Path], tmp_path: Path):
    real, fake = few
    arguments = [f"real={real}", f"fake={fake}", "side=32", f"per_image={tmp_path / 'new' / 'each.csv'}"]
    done = forked.run("src.evaluate", *arguments, "accelerator=cpu")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert set(result) == {"metrics", "protocol"}
    scores = [f"{score}_efficientnet_lite0" for score in ("kid", "fid", "is")]
    scores += ["is_efficientnet_lite0_std", "swd_unit", "swd_unit_spread", "swd_std", "swd_std_spread", "sharpness"]
    floors = [name for name in scores if not name.endswith("_spread")]
    floors += [f"{name}_error" for name in floors if not name.startswith("is")]
    own = [*scores, "kid_efficientnet_lite0_error"]
    assert set(result["metrics"]) == {*own, *(f"{name}_floor" for name in floors)}
    assert (result["protocol"]["n_real"], result["protocol"]["n_fake"], result["protocol"]["side"]) == (5, 5, 32)
    assert "swd_unit" in done.stderr
    assert done.stderr.count("5 images are too few for the covariance of 1280 features") == 2  # warned; protocol
    rows = list(csv.DictReader((tmp_path / "new" / "each.csv").read_text().splitlines()))
    assert [row["file"] for row in rows] == [f"{index:02d}.png" for index in range(5)]
    mean = np.mean([float(row["kid_contribution_efficientnet_lite0"]) for row in rows])
    assert mean == pytest.approx(result["metrics"]["kid_efficientnet_lite0"], rel=1e-9)  # sets of one size: no subsets


def test_a_name_that_is_no_utf8_keeps_its_bytes_and_the_scores(few: tuple[Path, Path], tmp_path: Path):
    odd = tmp_path / "odd"
    odd.mkdir()
    for path in few[1].iterdir():
        (odd / os.fsdecode(path.stem.encode() + b"\xe9.png")).write_bytes(path.read_bytes())
    table = tmp_path / "each.csv"
    arguments = [f"real={few[0]}", f"fake={odd}", f"per_image={table}", "accelerator=cpu"]
    done = forked.run("src.evaluate", *arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["protocol"]["fake"] == str(odd)
    rows = table.read_bytes().splitlines()[1:]
    assert [row.split(b",")[0] for row in rows] == [f"{index:02d}".encode() + b"\xe9.png" for index in range(5)]


def test_a_table_that_cannot_be_written_costs_no_score(
    few: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "file").write_text("")
    config = [f"real={few[0]}", f"fake={few[1]}"]
    found = evaluate(evaluation(*config, f"per_image={tmp_path}/file/each.csv"))
    assert f"per_image={tmp_path}/file/each.csv: cannot be written (" in capsys.readouterr().err
    assert found == evaluate(evaluation(*config))


def test_folders_are_printed_as_they_are_named(
    few: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(few[0], "[real]")
    evaluate(evaluation("real='[real]'", f"fake={few[1]}", "metrics.cache=null"))
    assert " against [real] (5)" in " ".join(capsys.readouterr().err.split())


def test_what_is_not_read_is_counted_and_16_bits_take_their_white(
    few: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for name in ("real", "fake"):
        (tmp_path / name).mkdir()
    for path in few[0].iterdir():
        with Image.open(path) as image:
            grey = np.asarray(image.convert("L"))
        Image.fromarray(grey).save(tmp_path / "real" / path.name)
        Image.fromarray(grey.astype(np.uint16) * 16).save(tmp_path / "fake" / path.name)
    for name in ("a.tif", "b.tif", "c.txt"):
        (tmp_path / "fake" / name).write_bytes(b"")
    folders = [f"real={tmp_path}/real", f"fake={tmp_path}/fake"]
    result = evaluate(evaluation(*folders, "white=4080"))
    assert result["metrics"]["fid_efficientnet_lite0"] == pytest.approx(0, abs=1e-6)
    assert result["protocol"]["white"] == 4080
    assert f"fake={tmp_path}/fake: 3 files passed over: .tif 2, .txt 1; read are .png, " in capsys.readouterr().err
    dark = evaluate(evaluation(*folders))["metrics"]
    assert dark["fid_efficientnet_lite0"] > 1


def test_real_features_are_there_the_next_time_and_change_nothing(
    few: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = [f"real={few[0]}", f"fake={few[1]}", f"metrics.cache={tmp_path}"]
    first = evaluate(evaluation(*config))
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}  # floor and features
    assert evaluate(evaluation(*config)) == first
    assert evaluate(evaluation(*config, "metrics.cache=null")) == first


def test_digests_are_the_files_own_and_features_another_pytorchs_are_not_taken(
    few: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = [f"real={few[0]}", f"fake={few[1]}", f"metrics.cache={tmp_path}"]
    digests, kept = [], []
    for version in (torch.__version__, "9.0"):
        monkeypatch.setattr(torch, "__version__", version)
        protocol = evaluate(evaluation(*config))["protocol"]
        digests.append([protocol["real_digest"], protocol["fake_digest"]])
        kept.append(len(list(tmp_path.glob("*.safetensors"))))
    assert digests[0] == digests[1]
    assert len({*digests[0]}) == 2
    assert kept == [1, 2]


def test_squares_of_the_shortest_side_are_compared_unless_a_side_is_given(few: tuple[Path, Path]):
    result = evaluate(evaluation(f"real={few[0]}", f"fake={few[1]}"))
    assert result["protocol"]["side"] == 36
    assert "from the file's size" in str(result["protocol"]["resize"])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["real={none}", "fake={fake}"], "none: no such folder"),
        (["real={real}", "fake={one}"], "at least 2 images a set, got 1"),
        (["real={base}", "fake={one}"], "fake=.*/one: lies inside real=.*, with whose images its own would be counted"),
        (["real={one}", "fake={base}"], "real=.*/one: lies inside fake=.*, with whose images its own would be counted"),
        (["real={real}", "fake={fake}", "side=8"], "side must be >= 16, got 8"),
        (["real={real}", "fake={fake}", "accelerator=tpu"], "accelerator=tpu: not to be had here"),
        (["real={real}", "fake={fake}", "per_image={real}"], "per_image=.*is a folder; name a file"),
        (
            ["real={real}", "fake={fake}", "extractor=inception", "extractor.weights={none}"],
            "no Inception weights there",
        ),
    ],
)
def test_a_mistake_is_said_in_one_line(overrides: list[str], message: str, few: tuple[Path, Path], tmp_path: Path):
    paths = {"real": few[0], "fake": few[1], "none": tmp_path / "none"}
    paths |= {"one": written(tmp_path / "one", 1, 0), "base": tmp_path}
    with pytest.raises(UserError, match=message) as raised:
        evaluate(evaluation(*(override.format(**paths) for override in overrides)))
    assert "\n" not in str(raised.value)
