"""Build what a configuration describes: the only place where configuration becomes objects."""

import inspect
import re
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from lightning.fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import nn

from src.config import signatures
from src.system.errors import UserError
from src.system.unpromised import refused_at

_MODELS = ("src.methods.", "src.networks.")
_SEGMENTERS = ("src.downstream.segmenter.",)
_CALLBACKS = ("src.training.callbacks.", "lightning.pytorch.callbacks.")
_SHELLS = (
    *("src.data.", "src.metrics.", "src.training.translation.", "src.training.callbacks."),
    *("src.training.wandb.", "src.training.mlflow.", "src.downstream.module.", "src.downstream.data."),
    *("torch.optim.", "lightning.pytorch.trainer.", "lightning.pytorch.loggers."),
)
PARTS = ("generator", "discriminator", "sampler", "attention", "selection")
"""Groups that a method refers to, or not: CycleGAN samples nothing."""
_ALLOWED = {
    **dict.fromkeys(("method", *PARTS), _MODELS),
    **{"segmenter": _SEGMENTERS, "callbacks": _CALLBACKS},
}
T = TypeVar("T")


def build(node: Any, name: str, **instead: Any) -> Any:
    """Instantiate what a node's `_target_` names: the only place where configuration becomes objects.

    A run folder may come from a stranger, so a method may only name classes of src.methods and src.networks, a
    segmenter of src.downstream, a callback of src.training.callbacks and Lightning's own, and the rest only classes of
    a few further packages and the functions of src.data.layouts.

    Args:
        node: with `_target_`, or a mapping of such nodes.
        name: of the node in the configuration, for messages.
        instead: of what the node sets, by name.

    Raises UserError, in one line, for what a constructor refuses.
    """
    check(node, name)
    try:
        return instantiate(node, **instead)
    except InstantiationException as error:
        cause: BaseException = error
        while cause.__cause__ is not None and not isinstance(cause, UserError):
            cause = cause.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        where = refused_at(error) or name
        if not where.startswith(name):
            where = f"{name}.{where}"
        raise UserError(f"{where}: {' '.join(str(cause).split())}") from error


def check(node: Any, name: str) -> None:
    """Raise UserError for what `build` refuses before it builds anything: other classes, settings they do not take."""
    _check_targets(node, name, _ALLOWED.get(name, _SHELLS))


def entries(group: Any, name: str, kind: type[Any], **offered: Any) -> dict[str, Any]:
    """Build every entry of a group that users may add to.

    Args:
        group: a mapping of nodes with `_target_`.
        name: of the group.
        kind: what each of them has to be.
        offered: by name, what an entry with `_partial_: true` is given of what it takes and does not set itself.

    Raises UserError for an entry that is nothing of the kind.
    """
    found = {}
    for key, entry in build(group, name).items():
        where = f"{name}.{key}"
        if isinstance(entry, partial):
            takes = inspect.signature(entry).parameters.keys() - entry.keywords
            entry = complete(entry, where, **{each: value for each, value in offered.items() if each in takes})
        if not isinstance(entry, kind):
            what = kind.__name__.lower()
            raise UserError(f"{where} is no {what}; give {where}._target_=<class of one>, or leave it out")
        found[str(key)] = entry
    return found


def complete(unfinished: Callable[..., T], name: str, *arguments: Any, **options: Any) -> T:
    """Call what `build` returned for a node with `_partial_: true`; a refusal becomes one line, as there."""
    try:
        return unfinished(*arguments, **options)
    except UserError:
        raise
    except (ValueError, TypeError, MisconfigurationException) as error:
        raise UserError(f"{name}: {' '.join(str(error).split())}") from error


def build_method(config: DictConfig, **instead: Callable[..., nn.Module]) -> Any:
    """The method a configuration describes, with fresh weights; `instead` builds networks of it, where it has them."""
    node = _described(config, "method")
    method = build(node, "method", **{name: part for name, part in instead.items() if name in node})
    if not isinstance(method, nn.Module):
        raise UserError(f"method._target_: {node['_target_']} is no method")
    return method


def build_generator(config: DictConfig) -> Any:
    """G of the method a configuration describes, with fresh weights; nothing else of the method is built."""
    node = _described(config, "method")
    _target(str(node["_target_"]), "method", _MODELS)
    return complete(build(_described(node, "generator"), "generator"), "generator")


def _described(config: DictConfig, name: str) -> DictConfig:
    node = config.get(name)
    if not isinstance(node, DictConfig) or "_target_" not in node:
        raise UserError(f"{name}: missing from the configuration; name a run folder that src.train wrote")
    return node


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
        signatures.check(_target(str(node["_target_"]), name, allowed), node, names)
    for key, own in names.items():
        if key != "_target_":
            _check_targets(node[key], own, allowed)


def _name(node: DictConfig, key: str, raw: object, name: str) -> str:
    """Of a setting in the whole configuration: where it is written, if the node only refers to it."""
    try:
        node[key]
    except OmegaConfBaseException as error:
        raise UserError(signatures.unresolved(error, f"{name}.{key}")) from error
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
