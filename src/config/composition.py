"""conf/ as Hydra composes it, asked without running anything: keys, groups, choices, files."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from src.config import naming, schema
from src.system.unpromised import hydra_loader, hydra_set_aside

CONF = Path(__file__).resolve().parent.parent.parent / "conf"


@lru_cache(maxsize=32)
def composed(name: str, *overrides: str) -> DictConfig:
    """conf/<name>.yaml with overrides, and Hydra's own part; not to be changed."""
    config: DictConfig = reader().load_configuration(name, list(overrides), run_mode=RunMode.RUN, from_shell=False)
    return config


def files(name: str, *overrides: str) -> list[tuple[Path, str]]:
    """The files of conf/ that a root is composed of, in their order, and below which key each of them stands."""
    listed = reader().compute_defaults_list(name, list(overrides), RunMode.RUN)
    found = [(CONF / f"{one.config_path}.yaml", str(one.package or "")) for one in listed.defaults]
    return [(path, package) for path, package in found if path.is_file() and not package.startswith("hydra")]


def keys(node: Any, prefix: str = "") -> Iterator[str]:
    """All keys of nested dicts, dotted; those below a reference are left to where it points."""
    for key, child in node.items() if isinstance(node, dict) else ():
        yield f"{prefix}{key}"
        yield from keys(child, f"{prefix}{key}.")


def choices(group: str) -> list[str]:
    """What may be chosen in a group of conf/."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def module(name: str) -> str:
    """What is run as python -m <module> for conf/<name>.yaml."""
    return "src.data.check" if name == "check" else f"src.{name}"


def groups(name: str) -> dict[str, str | None]:
    """What is chosen in each group of conf/ that a root refers to, by default."""
    return dict(_groups(name))


@lru_cache(maxsize=32)
def _groups(name: str) -> dict[str, str | None]:
    """From the defaults list alone, half of the work of a composition; every command asks."""
    chosen = reader().compute_defaults_list(name, [], RunMode.RUN).overrides.known_choices
    return {group: chosen[group] for group in chosen if (CONF / group).is_dir()}


def reader() -> Any:
    """Hydra's reader of conf/."""
    schema.register()
    naming.register()
    return _reader()


def keys_of(name: str, *chosen: str) -> list[str]:
    """All keys of a root, beside such choices of its groups."""
    root = composed(name, *chosen).copy()
    with open_dict(root):
        del root["hydra"]
    return list(keys(OmegaConf.to_container(root, resolve=False)))


@lru_cache(maxsize=1)
def _reader() -> Any:
    """It outlives Hydra's state, which it is made in."""
    with hydra_set_aside(GlobalHydra.instance()), initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra_loader(GlobalHydra.instance())
