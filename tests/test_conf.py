"""Every yaml names what it builds and every argument of it; every preset composes and builds."""

import inspect
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from src.config.build import build, build_method
from src.networks import projected
from src.system.errors import UserError
from tests.conftest import ATTENTIONS, CONF, SELECTIONS, config
from tests.labelled import composed

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
METHODS = sorted(path.stem for path in (CONF / "method").glob("*.yaml"))
ROWS = sorted(path.stem for path in (CONF / "table1").glob("*.yaml"))
FLAVOURS = {"fastcut": "cut", "monce": "cut", "cyclegan_original": "cyclegan"}
# given by the code that builds them, not by a yaml
SUPPLIED = {
    "src.networks.patch_sampler.PatchSampler": {"channels"},
    "src.training.translation.Translation": {"method", "optimizer"},
    "src.downstream.segmenter.Segmenter": {"classes"},
    "src.downstream.data.LabelledData": {"frames", "table"},
    "src.downstream.module.Segmentation": {"network", "optimizer"},
    "src.training.callbacks.checkpoint.LastCheckpoint": {"path", "accumulate"},
    "src.training.callbacks.image_grid.ImageGrid": {"folder", "validation", "seed"},
    "src.training.mlflow.MlflowRun": {"save_dir"},
    "src.training.wandb.run.WandbRun": {"save_dir"},
    "src.data.layouts.folders": {"root"},
    "src.data.layouts.gta2cityscapes": {"root"},
    "src.data.layouts.streets": {"root"},
}


@pytest.fixture(autouse=True, scope="module")
def _one_frozen_network() -> Iterator[None]:
    """To make the one that D looks through takes most of the time of building a method, and it is the same in all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projected, "frozen", lru_cache(projected.frozen))
        yield


def choices() -> list[str]:
    groups = [path for path in CONF.iterdir() if path.is_dir() and path.name not in ("experiment", "table1")]
    return sorted(f"{group.name}={path.stem}" for group in groups for path in group.glob("*.yaml"))


def nodes(config: object) -> list[DictConfig]:
    if not isinstance(config, DictConfig):
        return []
    own = [config] if "_target_" in config else []
    inner = [key for key in config if not OmegaConf.is_missing(config, key)]
    return own + [found for key in inner for found in nodes(config[key])]


@pytest.mark.parametrize("choice", choices())
def test_a_yaml_writes_out_exactly_the_arguments_of_what_it_builds(choice: str):
    group = choice.split("=")[0]
    root = composed("segment", choice) if group in ("labels", "segmenter") else config(choice, "data.root=/somewhere")
    found = nodes(root[group])
    assert found
    check_arguments(found)


def test_a_segmenters_configuration_writes_out_exactly_the_arguments_of_what_it_builds():
    check_arguments(nodes(composed("segment")))


def check_arguments(found: list[DictConfig]) -> None:
    for node in found:
        target = node["_target_"]
        if not target.startswith("src."):
            continue  # of libraries only what we decide on is written out
        supplied = {"channels"} if target.startswith("src.networks.attention.") else SUPPLIED.get(target, set())
        parameters = set(inspect.signature(get_object(target)).parameters) - supplied
        assert {key for key in node if key not in ("_target_", "_partial_")} == parameters


@pytest.mark.parametrize("name", ["attention", "selection", "generator", "discriminator", "method"])
def test_a_yaml_has_the_stem_of_the_file_it_builds(name: str):
    for path in (CONF / name).glob("*.yaml"):
        if path.stem in FLAVOURS:
            continue
        target = OmegaConf.load(path)
        target = (target.module if name == "attention" else target)["_target_"]
        assert target.split(".")[-2] == path.stem


@pytest.mark.parametrize(
    "path",
    [
        *(CONF / "experiment").iterdir(),
        *(CONF / "table1").iterdir(),
        *(CONF / "method" / f"{f}.yaml" for f in FLAVOURS),
    ],
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_presets_rows_and_flavours_only_override(path: Path):
    for group, node in OmegaConf.load(path).items_ex(resolve=False):
        if isinstance(node, DictConfig) and "_target_" in node:
            # back to the paper's class, where a preset has chosen another
            assert node["_target_"] == OmegaConf.load(CONF / str(group) / f"{group}.yaml")["_target_"]
            node.pop("_target_")
        assert "_target_:" not in OmegaConf.to_yaml(OmegaConf.create({"node": node}))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_every_preset_combines_with_every_attention(experiment: str, attention: str):
    whole = config(f"experiment={experiment}", f"attention={attention}", "data.root=/somewhere")
    assert isinstance(whole.optimizer.lr, float)
    build_method(OmegaConf.merge(whole, {"generator": {"width": 2}, "discriminator": {"width": 2}}))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("choice", [f"method={name}" for name in METHODS] + [f"table1={name}" for name in ROWS])
def test_every_preset_combines_with_every_method_and_row(experiment: str, choice: str):
    whole = config(f"experiment={experiment}", choice, "data.root=/somewhere")
    build_method(OmegaConf.merge(whole, {"generator": {"width": 2}, "discriminator": {"width": 2}}))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_rows_of_the_table_differ_in_nothing_but_their_method(experiment: str):
    rest = []
    for row in ROWS:
        whole = config(f"table1={row}", f"experiment={experiment}", "data.root=/somewhere")
        assert whole.variant == row
        settings = OmegaConf.to_container(whole, resolve=True)
        assert isinstance(settings, dict)
        of_method = settings.pop("method")
        # what both methods have is the same too
        rest.append({**settings, "networks": [of_method["generator"], of_method["discriminator"]]})
        assert rest[-1].pop("variant") == row
        rest[-1].pop("attention")
        rest[-1]["sampler"] = {k: v for k, v in settings["sampler"].items() if k not in ("attention", "taps")}
    assert len(rest) == 6
    assert all(settings == rest[0] for settings in rest)


def test_the_four_attentions_and_cut_share_one_objective():
    methods = [
        OmegaConf.to_container(config(f"table1={row}").method, resolve=True) for row in ROWS if row != "cyclegan"
    ]
    for method in methods:
        assert isinstance(method, dict)
        del method["sampler"]["attention"], method["sampler"]["taps"]
    assert all(method == methods[0] for method in methods)


@pytest.mark.parametrize(
    ("overrides", "variant"),
    [
        ([], "triplet"),
        (["attention=none"], "cut"),
        (["method=cyclegan", "attention=bam"], "cyclegan"),
        (["method=cyclegan_original"], "cyclegan_original"),
        (["method=fastcut"], "fastcut"),
        (["method=fastcut", "attention=self"], "fastcut_self"),
        (["table1=external", "variant=mine"], "mine"),
        (["table1=cut", "attention=bam"], "bam"),
    ],
)
def test_the_row_of_a_run_follows_from_its_choices(overrides: list[str], variant: str):
    assert config(*overrides).variant == variant


@pytest.mark.parametrize(
    ("method", "epochs", "decaying"),
    [("cut", 400, 200), ("cyclegan", 400, 200), ("cyclegan_original", 200, 100), ("fastcut", 200, 50)],
)
def test_a_method_keeps_its_schedule_at_full_size_and_yields_in_miniature(method: str, epochs: int, decaying: int):
    full = config(f"method={method}", "experiment=paper", "data.root=/datasets")
    assert (full.trainer.max_epochs, full.trainer.max_epochs * full.module.decay) == (epochs, decaying)
    assert config(f"method={method}").trainer.max_epochs == 5
    assert (
        config(f"method={method}", "experiment=paper", "data.root=/d", "trainer.max_epochs=3").trainer.max_epochs == 3
    )


def test_the_papers_printed_values():
    paper = config("experiment=paper", "data.root=/datasets")
    assert paper.optimizer.lr == 2e-3
    assert (paper.trainer.max_epochs, paper.module.decay) == (400, 0.5)
    assert (paper.data.size, paper.data.aspect, paper.data.batch_size) == (256, 1.0, 1)
    assert paper.data.samples_per_epoch == 2975
    assert paper.selection.patches == 256
    assert (paper.method.lambda_x, paper.method.lambda_y, paper.method.temperature) == (1.0, 1.0, 0.07)
    assert paper.method.reduction == "mean"
    assert (paper.generator.width, paper.discriminator.width, paper.sampler.embedding) == (64, 64, 256)
    assert paper.data.layout["_target_"].endswith("gta2cityscapes")
    assert config("experiment=paper_literal", "data.root=/datasets").method.reduction == "sum"


def test_the_command_line_has_the_last_word_over_a_preset():
    whole = config("experiment=paper", "data=folders", "data.root=/x", "optimizer.lr=1e-4")
    assert whole.data.layout["_target_"].endswith("folders")
    assert whole.optimizer.lr == 1e-4
    assert whole.data.size == 256


@pytest.mark.parametrize(
    "key",
    [
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=2",
        "trainer.limit_val_batches=2",
        "data.size=32",
        "data.load=32",
        "data.root=/x",
        "seed=3",
        "optimizer.lr=1e-3",
        "generator.width=8",
        "discriminator.width=8",
        *[f"selection={name}" for name in SELECTIONS],
    ],
)
def test_the_contracts_keys_can_be_overridden(key: str):
    assert config(key)


def test_root_scalars_are_typed():
    with pytest.raises(HydraException, match="seed"):
        config("seed=abc")


def test_a_wrong_choice_lists_the_valid_ones():
    with pytest.raises(HydraException) as raised:
        config("attention=tripled")
    assert all(name in str(raised.value) for name in ATTENTIONS)


def test_an_unknown_key_is_refused():
    with pytest.raises(HydraException, match=r"generator\.widht"):
        config("generator.widht=8")


@pytest.mark.parametrize(
    "target",
    [
        "lightning.fabric.utilities.cloud_io._load",
        "lightning.fabric.utilities.cloud_io._atomic_save",
        "lightning.Trainer",
        "src.data.streets.write.write_streets",
        "src.data.layouts.streets",
        "src.runs.weights.save_weights",
        "torch.optim.adam.torch.load",
        "os.system",
        "subprocess.Popen",
        "builtins.eval",
        "src.system.commit.subprocess.Popen",
        "src.runs.survey.os.system",
        "src.nowhere.X",
    ],
)
def test_a_strangers_configuration_cannot_name_other_code(target: str, tmp_path: Path):
    node = OmegaConf.create({"inner": [{"_target_": target, "args": ["true"]}]})
    with pytest.raises(UserError, match="_target_"):
        build(node, "method")


def test_composing_leaves_no_global_state():
    config()
    assert not GlobalHydra.instance().is_initialized()
