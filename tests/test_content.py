"""What is invented and what is lost: by hand on a toy, and on tiny sets in both true layouts."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from torch import nn

from src.data.images import read_image
from src.data.labels import LabelTable
from src.data.transforms import Transforms
from src.downstream import confusion, outlines
from src.downstream.content import content, judge_all
from src.downstream.run import segment
from src.downstream.trained import load_segmenter
from src.runs.results import load_metrics
from src.system.errors import UserError
from src.translation.any_size import translate_images
from tests.labelled import SMALL, composed, streets, translator

SKY, TREE = (0, 0, 255), (0, 255, 0)
TABLE = LabelTable(
    classes=[{"id": 3, "name": "sky", "colour": SKY}, {"id": 5, "name": "tree", "colour": TREE}],
    void=[0],
    watched="tree",
)
WHOLE = Transforms(size=32, aspect=1.0, fit="cover", load_scale=1.0, flip=False)


class Painter(nn.Module):
    """Turns the left quarter of every image into trees, as the paper's baselines do with sky."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x_B3HW):
        painted = x_B3HW.clone()
        painted[..., : x_B3HW.shape[-1] // 4] = torch.tensor([-1.0, 1.0, -1.0]).view(3, 1, 1)
        return painted


class ByColour:
    """A judge that is never wrong: green is tree, everything else sky."""

    table = TABLE

    def predict(self, pixels, shape):
        wanted = Image.fromarray(pixels).resize((shape[1], shape[0]), Image.Resampling.NEAREST)
        return torch.from_numpy((np.asarray(wanted)[..., 1] > 127).astype(np.int64))


def write_toy(root: Path, name: str, trees: slice) -> Path:
    """64x64: sky, with trees in some rows, and the top left corner void; labels at full size."""
    ids = np.full((64, 64), 3, np.uint8)
    ids[trees] = 5
    pixels = np.where((ids == 5)[..., None], TREE, SKY).astype(np.uint8)
    ids[:16, :8] = 0
    for folder, array in (("images", pixels), ("labels", ids)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(root / folder / f"{name}.png")
    return root / "images" / f"{name}.png"


def judged(images: list[Path], *, labelled: bool = True, keep: int = 2):
    versions = {"": lambda x, place: Painter()(x[None])[0], "_aligned": lambda x, place: x}
    return judge_all(versions, ByColour(), WHOLE, images, labelled=labelled, keep=keep)  # type: ignore[arg-type]


def test_trees_painted_into_the_sky_are_counted_by_hand(tmp_path: Path):
    counts, _ = judged([write_toy(tmp_path, "a", slice(48, 64)), write_toy(tmp_path, "b", slice(0, 0))])
    output, source = counts["output"].matrix(), counts["source"].matrix()
    # a: 48 rows of sky, b: 64; each 64 wide, less 16x8 void; the painter turns 16 columns into trees
    sky, painted = (48 + 64) * 64 - 2 * 16 * 8, (48 + 64) * 16 - 2 * 16 * 8
    assert float(confusion.hallucination(output)[1]) == pytest.approx(painted / sky)
    assert float(confusion.loss(output)[0]) == pytest.approx(painted / sky)
    assert float(confusion.loss(output)[1]) == 0
    assert float(confusion.hallucination(source)[1]) == 0
    assert confusion.accuracy(source) == 1
    # what changes nothing is the source again
    torch.testing.assert_close(counts["output_aligned"].matrix(), source)
    assert confusion.accuracy(counts["agreement_aligned"].matrix()) == 1
    # agreement looks at the void too, as it knows no labels
    assert confusion.accuracy(counts["agreement"].matrix()) == pytest.approx(1 - (48 + 64) * 16 / (2 * 64 * 64))


def test_the_worst_images_come_first_with_their_invented_pixels(tmp_path: Path):
    images = [write_toy(tmp_path, name, slice(rows, 64)) for name, rows in (("a", 40), ("b", 64), ("c", 20))]
    _, worst = judged(images)
    assert [case.name for case in worst] == ["b", "a"]
    assert int(worst[0].invented.sum()) == 64 * 16 - 16 * 8
    assert not worst[0].invented[:, 16:].any()


def test_without_labels_only_agreement_is_known(tmp_path: Path):
    counts, worst = judged([write_toy(tmp_path, "a", slice(48, 64))], labelled=False)
    assert set(counts) == {"agreement", "agreement_aligned"}
    assert worst[0].invented.mean() == pytest.approx(48 / 64 / 4)


def test_the_outline_is_drawn_where_the_pixels_are(tmp_path: Path):
    _, worst = judged([write_toy(tmp_path, "a", slice(48, 64))])
    with_outline = outlines.draw(worst, TABLE)
    case = worst[0]
    none = outlines.Case(**{**vars(case), "invented": np.zeros_like(case.invented)})
    line = (with_outline != outlines.draw([none], TABLE)).any(-1)
    line[:, : with_outline.shape[1] // 20] = False  # the share at the left edge differs too
    assert line.sum() > 50
    columns = np.nonzero(line.any(0))[0]
    assert columns.min() > with_outline.shape[1] / 4  # in the second panel
    assert columns.max() < with_outline.shape[1] / 2


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A root of tiny streets, and a segmenter trained on its real frames."""
    base = tmp_path_factory.mktemp("content")
    root = streets(base / "streets")
    (base / "judge").mkdir()
    cfg = composed("segment", *SMALL, f"train={root}/cityscapes", f"test={root}/cityscapes")
    segment(cfg, base / "judge")
    return root, base / "judge"


def configured(run: Path, segmenter: Path, changes: dict[str, object] | None = None):
    return OmegaConf.merge(composed("content", f"run={run}", f"judge={segmenter}", "accelerator=cpu"), changes or {})


def test_a_run_is_judged_into_its_own_folder(judge: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root, segmenter = judge
    data = (
        "data=gta2cityscapes",
        f"data.root={root}",
        "data.layout.holdout=2",
        "data.size=32",
        "data.load=40",  # crops of 32 are trained on, frames of 40 are translated
        "data.aspect=1.75",
    )
    run = translator(tmp_path / "run", *data)
    seen = list[tuple[int, ...]]()

    def translated(network, images):
        seen.append(tuple(images.shape))
        return translate_images(network, images)

    monkeypatch.setattr("src.downstream.content.translate_images", translated)
    headline = content(configured(run, segmenter))
    assert {shape[2] for shape in seen} == {40}
    metrics, protocol = load_metrics(run)
    assert metrics == {"kid": 1.0, **headline}
    names = {f"content_{name}" for name in ("accuracy", "miou", "hallucination_vegetation", "loss_vegetation")}
    beside = {f"{name}_{what}" for name in [*names, "content_agreement"] for what in ("transfer", "aligned")}
    assert set(headline) == names | {f"{name}_source" for name in names} | {"content_agreement"} | beside
    assert protocol["content"]["n"] == 2
    assert "data.load, 40 pixels" in protocol["content"]["frames"]
    detail = json.loads((run / "content.json").read_text())["scores"]
    parts = {f"{kind}{suffix}" for kind in ("output", "agreement") for suffix in ("", "_transfer", "_aligned")}
    assert set(detail) == {*parts, "source"}
    assert set(detail["output"]["hallucination"]) == set(load_segmenter(segmenter, torch.device("cpu")).table.names)
    assert read_image(run / "content.png").shape[1] > 1000
    assert content(configured(run, segmenter)) == headline  # a second time replaces the first


def test_frames_without_class_maps_give_agreement(judge: tuple[Path, Path], tmp_path: Path):
    _, segmenter = judge
    for name in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / "frames" / name).mkdir(parents=True)
        for number in range(2):
            pixels = np.random.default_rng(number).integers(0, 256, (40, 56, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "frames" / name / f"{number}.png")
    run = translator(tmp_path / "run", "data=folders", f"data.root={tmp_path}/frames", "data.size=32", "data.load=32")
    headline = content(configured(run, segmenter))
    # a class that the judge sees nowhere has no share that could be lost
    kinds = ("", "_hallucination_vegetation", "_loss_vegetation")
    possible = {f"content_agreement{kind}{what}" for kind in kinds for what in ("", "_transfer", "_aligned")}
    assert {"content_agreement"} <= set(headline) <= possible
    assert 0 <= headline["content_agreement"] <= 1


def test_a_mistake_is_one_line(judge: tuple[Path, Path], tmp_path: Path):
    root, segmenter = judge
    run = translator(tmp_path / "run", "data=gta2cityscapes", f"data.root={root}", "data.layout.holdout=2")
    for changes, message in (
        ({"judge": str(run)}, "holds no segmenter"),
        ({"split": "test"}, "split must be one of train, val, got 'test'"),
        ({"run": "nowhere"}, "nowhere: not a run folder"),
        ({"worst": 0}, "worst must be >= 1"),
    ):
        with pytest.raises(UserError, match=message) as raised:
            content(configured(run, segmenter, changes))
        assert "\n" not in str(raised.value)
