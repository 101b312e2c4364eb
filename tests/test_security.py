"""What SECURITY.md promises: no file's content is run, nothing is written elsewhere, no secret is kept."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from PIL import Image

from src.config import schema
from src.config.naming import run_name
from src.downstream import study
from src.runs.folder import save_config
from tests import labelled
from tests.conftest import CONF, TINY

SOURCE = CONF.parent
FORBIDDEN_IMPORTS = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "pty", "commands"}
FORBIDDEN_CALLS = {
    *("eval", "exec", "compile", "__import__"),
    *("os.system", "os.popen", "os.spawnl", "os.execv", "subprocess.getoutput", "subprocess.getstatusoutput"),
    *("yaml.load", "yaml.full_load", "yaml.unsafe_load", "yaml.load_all", "yaml.Loader", "yaml.UnsafeLoader"),
    *("torch.hub.load", "torch.jit.load", "torch.package.PackageImporter", "pandas.read_pickle"),
}
# what src.export has just made itself, it loads once, to check it
EXCEPTIONS = {"src/translation/weights/export.py": ["torch.jit.load"]}
LOADERS = {
    "torch.load": ("weights_only", True),
    "numpy.load": ("allow_pickle", False),
    "np.load": ("allow_pickle", False),
}


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def constant(call: ast.Call, name: str) -> object:
    """Of a keyword argument; None if it is not there, or no constant."""
    found = [k.value for k in call.keywords if k.arg == name]
    return found[0].value if found and isinstance(found[0], ast.Constant) else None


def dangers(text: str) -> Iterator[str]:
    """Lines that could run what a file, or a command line, holds."""
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = [module.partition(".")[0]]
            full = {f"{module}.{alias.name}" for alias in node.names}
            yield from (f"{node.lineno}: from {one}" for one in full & ({*FORBIDDEN_CALLS, *LOADERS} - {"compile"}))
        yield from (f"{node.lineno}: import {name}" for name in names if name in FORBIDDEN_IMPORTS)
        if not isinstance(node, ast.Call):
            continue
        called = dotted(node.func)
        if called in FORBIDDEN_CALLS:
            yield f"{node.lineno}: {called}"
        if called in LOADERS:
            name, wanted = LOADERS[called]
            if constant(node, name) is not wanted:
                yield f"{node.lineno}: {called} without {name}={wanted}"
        if any(k.arg == "shell" for k in node.keywords) and constant(node, "shell") is not False:
            yield f"{node.lineno}: shell"
        resumes = [k.value for k in node.keywords if k.arg == "ckpt_path"]
        if called.endswith((".fit", "load_from_checkpoint")) and resumes and constant(node, "weights_only") is not True:
            yield f"{node.lineno}: {called} without weights_only=True"


@pytest.mark.parametrize(
    "path",
    sorted(path for folder in ("src", "benchmarks", "examples") for path in SOURCE.glob(f"{folder}/**/*.py")),
    ids=lambda path: path.stem,
)
def test_no_source_can_run_what_a_file_holds(path: Path):
    found = [line.partition(": ")[2] for line in dangers(path.read_text())]
    assert found == EXCEPTIONS.get(path.relative_to(SOURCE).as_posix(), [])


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "import torch\ntorch.load(path)",
        "import torch\ntorch.load(path, weights_only=False)",
        "import torch\ntorch.load(path, weights_only=safe)",
        "from torch import load",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "import numpy as np\nnp.load(path)",
        "import torch\ntorch.jit.load(path)",
        "import yaml\nyaml.load(text, yaml.Loader)",
        "eval(text)",
        "exec(text)",
        "import os\nos.system(text)",
        "from os import system",
        "import subprocess\nsubprocess.run(text, shell=True)",
        "import subprocess\nsubprocess.Popen(text, shell=flag)",
        "trainer.fit(module, ckpt_path=path)",
    ],
)
def test_the_scan_sees_each_danger(line: str):
    assert list(dangers(line))


def test_what_is_safe_is_not_taken_for_a_danger():
    safe = "torch.load(p, weights_only=True)\nnp.load(p, allow_pickle=False)\nmodel.eval()\nre.compile(x)"
    assert list(dangers(safe)) == []


@pytest.mark.parametrize(
    "overrides",
    [
        ["variant=../../x"],
        ["variant=.."],
        ["variant=/etc/cron.d/x"],
        ["variant=a\\..\\b"],
        ["variant=a\nb"],
        ["data.root=../../../root", "seed=.."],
        ["attention=../../x"],
        ["variant=" + "../" * 100],
        ["variant=~root"],
        ["variant=\x00"],
    ],
)
def test_no_override_leads_out_of_the_sweeps_folder(overrides: list[str], tmp_path: Path):
    name = run_name(overrides)
    assert name not in ("", ".", "..")
    assert not name.startswith("~")
    (tmp_path / name).mkdir()
    assert (tmp_path / name).resolve().parent == tmp_path.resolve()


def test_a_strangers_variant_leads_to_no_other_folder(tmp_path: Path):
    run = labelled.translator(tmp_path / "run", "data=streets", f"data.root={tmp_path}/data", "variant=../../../out")
    labelled.streets(tmp_path / "data")
    config = labelled.composed("study", f"data.root={tmp_path}/data", f"runs=[{run}]", "accelerator=cpu")
    listed = study.domains(config.data)
    source, cpu = study.labels_of(listed.x_train), torch.device("cpu")
    sets = study._sets(config, listed, source, tmp_path / "sets", tmp_path / "real", [run], cpu)
    names = [one.name for one in sets]
    assert len(names) == 4
    assert all((tmp_path / "sets" / name).resolve().parent == tmp_path / "sets" for name in names)


def test_a_manifest_names_no_file_outside_its_set(tmp_path: Path):
    run = labelled.translator(tmp_path / "run", "data=streets", f"data.root={tmp_path}/data")
    labelled.streets(tmp_path / "data")
    output, victim = tmp_path / "set", tmp_path / "victim.png"
    from src.translation.translate import translate_inputs

    config = labelled.composed("translate", f"run={run}", "split=train", f"output={output}", "accelerator=cpu")
    translate_inputs(config)
    manifest = json.loads((output / "manifest.json").read_text())
    victim.write_bytes(b"mine")
    manifest["files"] |= {"../victim.png": "0" * 64, str(victim): "0" * 64}
    (output / "manifest.json").write_text(json.dumps(manifest))
    translate_inputs(config)
    assert victim.read_bytes() == b"mine"
    assert not [name for name in json.loads((output / "manifest.json").read_text())["files"] if "victim" in name]


def test_a_configuration_takes_nothing_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PLANTED", "a-secret")
    schema.register()
    for text in ("${oc.env:PLANTED}", "${oc.env:PLANTED,none}", "x${oc.decode:${oc.env:PLANTED}}"):
        config = OmegaConf.create({"variant": text})
        with pytest.raises(OmegaConfBaseException, match="takes nothing from the environment") as raised:
            save_config(tmp_path, config)
        assert "a-secret" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_no_secret_of_the_environment_is_kept(tmp_path: Path):
    """A whole run with every logger, in a process of its own; each byte it leaves and says is looked at."""
    secrets = {
        "WANDB_API_KEY": "0123456789abcdef" * 2 + "deadbeef",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/planted+secret+key",
        "HF_TOKEN": "hf_planted0token0of0a0user",
    }
    for name, count in {"trainA": 3, "trainB": 3, "testA": 4, "testB": 4}.items():
        (tmp_path / "frames" / name).mkdir(parents=True)
        for index in range(count):
            pixels = np.random.default_rng(index).integers(0, 256, (36, 44, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "frames" / name / f"{index}.png")
    home = {f"WANDB_{name}_DIR": str(tmp_path / "home") for name in ("DATA", "CACHE", "CONFIG")}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "src.train", *TINY, "attention=none", "data=folders"),
            *(
                f"data.root={tmp_path}/frames",
                "data.size=32",
                "data.load=32",
                "data.samples_per_epoch=2",
                "data.num_workers=1",
            ),
            *("trainer=cpu", "trainer.max_epochs=1", "trainer.log_every_n_steps=1", "metrics.scores.seeds=1"),
            *("metrics.every_n_epochs=1", "logger=wandb", "logger.wandb.mode=offline"),
            "callbacks.image_grid.images=1",
            f"hydra.run.dir={tmp_path}/run",
        ],
        cwd=SOURCE,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **home, **secrets, "NETRC": str(tmp_path / "home/netrc"), "HOME": str(tmp_path / "home")},
    )
    assert done.returncode == 0, done.stderr.decode()
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    kinds = ("config.yaml", "metrics.json", "metrics.csv", "events.out", ".wandb", "last.ckpt", "weights.safetensors")
    for kind in kinds:
        assert [path for path in written if kind in path.name], kind
    for name, secret in secrets.items():
        told = [str(path) for path, content in written.items() if secret.encode() in content]
        assert (name, told) == (name, [])
        assert secret.encode() not in done.stdout + done.stderr
