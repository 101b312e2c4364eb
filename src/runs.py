"""What a run is: a folder with its configuration, weights and metrics. Build from a configuration, save, load.

python -m src.runs      lists the runs in outputs/ and removes them: src.inventory
"""

if __name__ == "__main__":
    from src.inventory.command import main

    raise SystemExit(main())  # before the imports below, which take seconds and which a list does not need

import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from lightning.fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from src import run_files, settings
from src.system.errors import UserError, did_you_mean
from src.system.files import write

CONFIG, WEIGHTS, METRICS = run_files.CONFIG, run_files.WEIGHTS, run_files.METRICS
CHECKPOINT, PREVIOUS = run_files.CHECKPOINT, run_files.PREVIOUS
INIT_FROM = "init_from"  # of the node `method`
_MODELS = ("src.methods.", "src.networks.")
_SEGMENTERS = ("src.segmenters.",)
_SHELLS = (
    *("src.data.", "src.metrics.", "src.modules.", "src.callbacks.", "src.tracking."),
    *("torch.optim.", "lightning.pytorch.trainer.", "lightning.pytorch.loggers."),
)
AVERAGE = "average."
"""What the names of the averaged weights begin with in a weights file."""
T = TypeVar("T")


def build(node: Any, name: str) -> Any:
    """Instantiate what a node's `_target_` names: the only place where configuration becomes objects.

    A run folder may come from a stranger, so a method may only name classes of src.methods and src.networks, a
    segmenter of src.segmenters, and the rest only classes of a few further packages and the functions of
    src.data.layouts.

    Args:
        node: with `_target_`, or a mapping of such nodes.
        name: of the node in the configuration, for messages.

    Raises UserError, in one line, for what a constructor refuses.
    """
    _check_targets(node, name, {"method": _MODELS, "segmenter": _SEGMENTERS}.get(name, _SHELLS))
    try:
        return instantiate(node)
    except InstantiationException as error:
        cause: BaseException = error
        while cause.__cause__ is not None and not isinstance(cause, UserError):
            cause = cause.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        where = str(error).rpartition("full_key: ")[2].strip() if "full_key: " in str(error) else name
        if not where.startswith(name):
            where = f"{name}.{where}"
        raise UserError(f"{where}: {' '.join(str(cause).split())}") from error


def complete(partial: Callable[..., T], name: str, *arguments: Any, **options: Any) -> T:
    """Call what `build` returned for a node with `_partial_: true`; a refusal becomes one line, as there."""
    try:
        return partial(*arguments, **options)
    except UserError:
        raise
    except (ValueError, TypeError, MisconfigurationException) as error:
        raise UserError(f"{name}: {' '.join(str(error).split())}") from error


def build_method(config: DictConfig) -> Any:
    """The method a configuration describes, with fresh weights."""
    node = config.get("method")
    if not isinstance(node, DictConfig) or "_target_" not in node:
        raise UserError("method: missing from the configuration; name a run folder that src.train wrote")
    own = config.copy()
    with open_dict(own):
        # no argument of the class: it says what training starts from, and a finished run needs it no more
        own.method.pop(INIT_FROM, None)
    method = build(own.method, "method")
    if not isinstance(method, nn.Module):
        raise UserError(f"method._target_: {node['_target_']} is no method")
    return method


def save_config(folder: Path, config: DictConfig) -> None:
    """Write the configuration with every interpolation resolved."""
    resolved = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    write(folder / CONFIG, OmegaConf.to_yaml(resolved).encode())


def load_config(folder: Path) -> DictConfig:
    """The configuration of a run folder; raises UserError if it is none."""
    path = folder / CONFIG
    if not path.is_file():
        others = [one.parent for one in folder.parent.glob(f"*/{CONFIG}")] if folder.parent.is_dir() else []
        mend = did_you_mean(folder, others) or "; name a folder that src.train wrote"
        raise UserError(f"{folder}: not a run folder, {CONFIG} is missing{mend}")
    try:
        config = OmegaConf.load(path)
    except Exception as error:
        raise UserError(f"{path}: not readable as YAML ({str(error).splitlines()[0]})") from error
    if not isinstance(config, DictConfig):
        raise UserError(f"{path}: not a run's configuration; name a folder that src.train wrote")
    if "${" in path.read_text():
        raise UserError(f"{path}: refers to other values with ${{...}}, as no run does; write the values")
    return config


def save_weights(folder: Path, method: nn.Module, average: nn.Module) -> None:
    """Write the method's weights, and the translator's average beside them."""
    tensors = {
        # what is no tensor (a pool's images) serves resuming only
        **{key: value for key, value in method.state_dict().items() if isinstance(value, Tensor)},
        **{AVERAGE + key: value for key, value in average.state_dict().items()},
    }
    write(folder / WEIGHTS, save({key: value.cpu().contiguous() for key, value in tensors.items()}))


def load_translator(folder: Path, *, average: bool) -> nn.Module:
    """The trained translator x -> y of a run, in evaluation mode on the CPU.

    Args:
        folder: of the run.
        average: the averaged weights, or those of the last step.
    """
    config = load_config(folder)
    method = build_method(config)
    tensors = load_weights(folder)
    network: nn.Module = method.translator()
    prefix = AVERAGE if average else next(f"{name}." for name, part in method.named_modules() if part is network)
    try:
        network.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    except RuntimeError as error:
        detail = str(error).splitlines()[-1].strip()
        raise UserError(f"{folder / WEIGHTS}: does not fit {CONFIG} beside it ({detail})") from error
    return network.eval().requires_grad_(False)


def load_method(folder: Path) -> Any:
    """The method of a finished run with the last step's weights, in evaluation mode on the CPU."""
    method = build_method(load_config(folder))
    tensors = {key: value for key, value in load_weights(folder).items() if not key.startswith(AVERAGE)}
    # what is no tensor (a pool's images) serves resuming only, and is in no weights file
    lacking = {key for key, value in method.state_dict().items() if isinstance(value, Tensor)} ^ set(tensors)
    try:
        method.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        lacking.add(str(error).splitlines()[-1].strip())
    if lacking:
        raise UserError(f"{folder / WEIGHTS}: does not fit {CONFIG} beside it ({min(lacking)})")
    return method.eval().requires_grad_(False)


def load_weights(folder: Path) -> Mapping[str, Tensor]:
    """The tensors of a finished run; raises UserError if there are none or they are torn."""
    path = folder / WEIGHTS
    if not path.is_file():
        raise UserError(f"{path}: missing; the run has not finished, continue it with resume={folder}")
    return load_tensors(path)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file, on the CPU; raises UserError if it is missing or torn."""
    try:
        tensors = load_file(path)
    except FileNotFoundError:
        raise UserError(f"{path}: missing; name a finished run, or its {WEIGHTS}") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a readable safetensors file ({error})") from error
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise UserError(f"{path}: {name} holds NaN or infinity, so its training failed; name another run")
    return tensors


def _check_targets(node: Any, name: str, allowed: tuple[str, ...]) -> None:
    if isinstance(node, ListConfig):
        for index in range(len(node)):
            _check_targets(node[index], f"{name}[{index}]", allowed)
    if not isinstance(node, DictConfig):
        return
    raw = OmegaConf.to_container(node, resolve=False)
    assert isinstance(raw, dict)
    names = {str(key): _name(node, str(key), raw[key], name) for key in node}
    if "_target_" in names:
        settings.check(_target(str(node["_target_"]), name, allowed), node, names)
    for key, own in names.items():
        if key != "_target_":
            _check_targets(node[key], own, allowed)


def _name(node: DictConfig, key: str, raw: object, name: str) -> str:
    """Of a setting in the whole configuration: where it is written, if the node only refers to it."""
    try:
        node[key]
    except OmegaConfBaseException as error:
        raise UserError(settings.unresolved(error, f"{name}.{key}")) from error
    elsewhere = re.fullmatch(r"\$\{([\w.]+)\}", str(raw))
    return elsewhere[1] if elsewhere else f"{name}.{key}"


def _target(target: str, name: str, allowed: tuple[str, ...]) -> Callable[..., Any]:
    """What a `_target_` names."""
    try:
        found = get_object(target)
    except Exception as error:
        raise UserError(f"{name}._target_: {target} cannot be found") from error
    # judged by where it is defined: a dotted path may lead through our modules to something they merely import
    home = f"{getattr(found, '__module__', '')}."
    buildable = inspect.isclass(found) or (inspect.isfunction(found) and home == "src.data.layouts.")
    if not (buildable and home.startswith(allowed)) or "._" in f".{target}":
        raise UserError(f"{name}._target_: {target} is none of the classes that may stand there")
    build: Callable[..., Any] = found
    return build
