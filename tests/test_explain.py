"""Where a run looks: from a trained run's folder to pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from src import explain
from src.config.build import build_method
from src.data.images import read_image
from src.data.transforms import to_tensor
from src.networks.inside import inside
from src.runs.folder import METRICS, load_config, save_config
from src.runs.weights import load_method, load_weights
from src.system.errors import UserError
from src.tables.pictures.score_maps import Explained
from src.tables.pictures.trained import SPREAD
from src.training.run import train
from src.translation.manifest import Manifest
from src.translation.weights import load
from tests.conftest import CONF, TINY, UNDRAWN, config
from tests.frames import write_frames
from tests.labelled import composed


def settings(root: Path, *overrides: str):
    tiny = [
        *TINY,
        UNDRAWN,
        "data=folders",
        f"data.root={root}",
        "data.size=32",
        "data.load=32",
        "data.samples_per_epoch=2",
    ]
    return config(*tiny, "data.num_workers=0", "trainer.max_epochs=2", "metrics.scores=null", *overrides)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three rows of one epoch or two, trained on noise; the second has two seeds."""
    base = tmp_path_factory.mktemp("explain")
    root = write_frames(base / "frames")
    jobs = {
        "none": ["attention=none"],
        "triplet_0": ["attention=triplet"],
        "triplet_1": ["attention=triplet", "seed=1"],
    }
    for name, overrides in {**jobs, "cyclegan": ["method=cyclegan"]}.items():
        (base / "sweep" / name).mkdir(parents=True)
        train(settings(root, "trainer.log_every_n_steps=1", *overrides), base / "sweep" / name)
    (base / "sweep" / "multirun.yaml").write_text("{}")
    return base / "sweep"


def configured(run: Path, source: Path, output: Path, **changes: object):
    cfg = composed("explain", f"run={run}", f"input={source}", f"output={output}", "accelerator=cpu")
    return OmegaConf.merge(cfg, changes)


def explained(monkeypatch: pytest.MonkeyPatch, *arguments: Path) -> list[list[Explained]]:
    """What is handed to the drawing, an entry an image."""
    seen: list[list[Explained]] = []
    draw = explain.explanation
    monkeypatch.setattr(explain, "explanation", lambda name, x, them: (seen.append(them), draw(name, x, them))[1])
    explain.explain(configured(*arguments))
    return seen


def test_a_run_is_explained_on_each_image(sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    frames = sweep.parent / "frames" / "testA"
    seen = explained(monkeypatch, sweep / "triplet_0", frames, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.png", "1.png", "2.png"]
    assert min(read_image(tmp_path / "out/0.png").shape[:2]) > 300
    ((run,), *_) = seen
    assert run.label == "triplet"
    assert list(run.maps) == ["pixels", "down1", "down2", "block1", "block5"]
    # independently: the method rebuilt, its encoder's features scored by the tap's own module
    method = build_method(load_config(sweep / "triplet_0"))
    tensors = load_weights(sweep / "triplet_0")
    method.load_state_dict({k: v for k, v in tensors.items() if not k.startswith("average.")})
    frame = np.asarray(Image.open(frames / "0.png").resize((44, 32), Image.Resampling.BOX))
    assert run.output.shape[1:] == frame.shape[:2]
    for tap, (score, places, grid, _) in run.maps.items():
        assert score.shape == (1, grid[0] * grid[1])
        inner = inside(tap, grid, max(1, frame.shape[0] // grid[0]), 8, ranked=True)
        best = inner.places(inner.take(score).topk(8).indices)
        assert set(places[0].tolist()) == set(best[0].tolist())


def test_the_spread_is_that_of_the_log(sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ((run,),) = explained(monkeypatch, sweep / "none", sweep.parent / "frames/testA/0.png", tmp_path)
    assert list(run.spread) == list(SPREAD.values())
    reached = run.spread["places ever chosen"]["pixels"]
    grid = run.maps["pixels"].grid
    share = 8 / (grid[0] * grid[1])
    assert list(reached) == [1, 2]
    assert reached[1] == pytest.approx(share, rel=0.1)  # the frames differ a little in size
    assert share * 1.5 < reached[2] <= 2 * share * 1.1  # fresh places are nearly all new


def test_a_sweeps_rows_stand_side_by_side(sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (seen,) = explained(monkeypatch, sweep, sweep.parent / "frames/testA/0.png", tmp_path)
    assert [run.label for run in seen] == ["cut", "cyclegan", "triplet, seed 0"]
    assert [len(run.maps) for run in seen] == [5, 0, 5]
    alone = explained(monkeypatch, sweep / "triplet_0", sweep.parent / "frames/testA/0.png", tmp_path / "alone")
    torch.testing.assert_close(alone[0][0].output, seen[2].output, rtol=0, atol=0)
    assert torch.equal(alone[0][0].maps["block5"].places, seen[2].maps["block5"].places)


def test_the_same_command_gives_the_same_picture(sweep: Path, tmp_path: Path):
    source = sweep.parent / "frames/testA/1.png"
    for name in ("a", "b"):
        explain.explain(configured(sweep / "none", source, tmp_path / name))
    assert (tmp_path / "a/1.png").read_bytes() == (tmp_path / "b/1.png").read_bytes()


def test_a_run_that_has_not_finished_is_left_out_of_a_sweep_and_said(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    source = sweep.parent / "frames/testA/0.png"
    (tmp_path / "sweep/begun").mkdir(parents=True)
    for name, begun in (("none", False), ("triplet_0", True)):
        for path in (sweep / name).iterdir():
            if path.is_file() and not (begun and path.name == METRICS):
                (tmp_path / "sweep" / name).mkdir(exist_ok=True)
                (tmp_path / "sweep" / name / path.name).write_bytes(path.read_bytes())
    (tmp_path / "sweep/multirun.yaml").write_text("{}")
    (tmp_path / "sweep/begun").rmdir()
    explain.explain(configured(tmp_path / "sweep", source, tmp_path / "out"))
    assert "left out, as they have not finished: triplet_0" in capsys.readouterr().err


@pytest.mark.parametrize("row", ["triplet_0", "cyclegan"])
def test_discriminators_are_not_built(row: str, sweep: Path, monkeypatch: pytest.MonkeyPatch):
    settings = load_config(sweep / row)
    whole = build_method(settings)
    monkeypatch.setattr(f"{settings.discriminator._target_}.__init__", lambda *_, **__: pytest.fail("a D is built"))
    method = load_method(sweep / row)
    weights = load_weights(sweep / row)
    judges = {id(parameter) for parameter in whole.discriminator_parameters()}
    names = {name for name, parameter in whole.named_parameters() if id(parameter) not in judges}
    assert {name for name, _ in method.named_parameters()} == names
    assert names
    assert all(torch.equal(parameter, weights[name]) for name, parameter in method.named_parameters())


def test_weights_of_another_method_are_refused(sweep: Path, tmp_path: Path):
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed/config.yaml").write_bytes((sweep / "none/config.yaml").read_bytes())
    (tmp_path / "mixed/weights.safetensors").write_bytes((sweep / "triplet_0/weights.safetensors").read_bytes())
    with pytest.raises(UserError, match=r"weights\.safetensors: does not fit config\.yaml beside it \(H\.attention"):
        explain.explain(configured(tmp_path / "mixed", sweep.parent / "frames/testA", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_runs_of_different_sizes_are_refused(sweep: Path, tmp_path: Path):
    (tmp_path / "s").mkdir()
    for name, size in (("none", 32), ("triplet_0", 36)):
        run = tmp_path / "s" / name
        run.mkdir()
        for file in ("weights.safetensors", "metrics.json"):
            (run / file).write_bytes((sweep / name / file).read_bytes())
        saved = load_config(sweep / name)
        saved.data.size = saved.data.load = size
        save_config(run, saved)
    with pytest.raises(UserError, match=r"different sizes, 32 pixels \(cut.*\) and 36 pixels \(triplet.*one by one"):
        explain.explain(configured(tmp_path / "s", sweep.parent / "frames/testA", tmp_path / "out"))


def test_a_file_of_weights_shows_its_output_and_says_that_it_has_no_maps(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The shipped ones, at the height they were trained at, as src.translate has it."""
    weights, seen = CONF.parent / "checkpoints/streets_cut.safetensors", list[Explained]()
    draw = explain.explanation
    monkeypatch.setattr(explain, "explanation", lambda name, x, them: (seen.extend(them), draw(name, x, them))[1])
    frame = sweep.parent / "frames/testA/0.png"
    explain.explain(
        composed("explain", f"weights={weights}", f"input={frame}", f"output={tmp_path}/out", "accelerator=cpu")
    )
    assert capsys.readouterr().err.splitlines()[0] == (
        f"{weights}: holds no attention, which is part of a run alone; its output is shown without maps"
    )
    assert (tmp_path / "out/0.png").is_file()
    (run,) = seen
    assert (run.label, dict(run.maps)) == ("streets_cut", {})
    sized = Image.open(frame).resize((180, 128), Image.Resampling.BICUBIC)
    with torch.no_grad():
        expected = load.generator(weights).eval()(to_tensor(np.array(sized))[None])[0]
    assert run.output.shape == expected.shape
    assert (run.output - expected).abs().mean() < 0.02  # another resampling of the frame


def test_a_file_has_no_last_steps_weights(sweep: Path, tmp_path: Path):
    weights = CONF.parent / "checkpoints/streets_cut.safetensors"
    cfg = composed("explain", f"weights={weights}", f"input={sweep.parent}/frames/testA", f"output={tmp_path}/out")
    cfg.average = False
    with pytest.raises(UserError, match=r"average=false: .* holds one set of weights"):
        explain.explain(cfg)
    assert not (tmp_path / "out").exists()


def test_translations_are_not_drawn_over(tmp_path: Path):
    """The two commands are typed one after the other, and give their files the same names."""
    frame = tmp_path / "frames/a.png"
    frame.parent.mkdir()
    Image.new("RGB", (40, 32)).save(frame)
    made, target = Manifest(tmp_path / "out", {}), tmp_path / "out/a.png"
    made.note(frame, target, "hash")
    target.write_bytes(b"a translation")
    with pytest.raises(UserError, match=r"out: holds translations, whose names pictures would take; name another"):
        explain.explain(configured(tmp_path / "run", frame.parent, tmp_path / "out"))
    assert target.read_bytes() == b"a translation"


def test_an_image_beside_the_source_is_not_drawn_over(tmp_path: Path):
    Image.new("RGB", (40, 32)).save(tmp_path / "a.jpg")
    (tmp_path / "a.png").write_bytes(b"another image")
    with pytest.raises(UserError, match=r"a\.png is there already, beside .*a\.jpg; name another folder"):
        explain.explain(configured(tmp_path / "run", tmp_path / "a.jpg", tmp_path))
    assert (tmp_path / "a.png").read_bytes() == b"another image"
