"""The weights of a run: written at its end, and read back into a method or a translator."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from src.config.build import build_generator, build_method
from src.config.quoting import pasted
from src.runs.folder import CONFIG, WEIGHTS, load_config
from src.system.errors import UserError
from src.system.files import write

AVERAGE = "average."
"""What the names of the averaged weights begin with in a weights file."""
LAST = "G."
"""What those of the translator's last step begin with: every method calls it G."""


class Absent(nn.Module):
    """Stands where a discriminator stood, which serves training alone."""


def save_weights(folder: Path, method: nn.Module, average: nn.Module) -> None:
    """Write the method's weights, and the translator's average beside them."""
    tensors = {
        # what is no tensor (a pool's images) serves resuming only
        **{key: value for key, value in method.state_dict().items() if isinstance(value, Tensor)},
        **{AVERAGE + key: value for key, value in average.state_dict().items()},
    }
    write(folder / WEIGHTS, save({key: value.cpu().contiguous() for key, value in tensors.items()}))


def load_translator(folder: Path, *, average: bool) -> nn.Module:
    """The trained translator x -> y of a run, in evaluation mode on the CPU, without the rest of its method.

    Args:
        folder: of the run.
        average: the averaged weights, or those of the last step.
    """
    network: nn.Module = build_generator(load_config(folder))
    tensors, prefix = load_weights(folder), AVERAGE if average else LAST
    fill(network, {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}, folder)
    return network


def load_method(folder: Path) -> Any:
    """The method of a finished run without discriminators: the last step's weights, in evaluation mode on the CPU."""
    method = build_method(load_config(folder), discriminator=Absent)
    left = (AVERAGE, *(f"{name}." for name, part in method.named_modules() if isinstance(part, Absent)))
    tensors = {key: value for key, value in load_weights(folder).items() if not key.startswith(left)}
    # what is no tensor (a pool's images) serves resuming only, and is in no weights file
    own = {key: value for key, value in method.state_dict().items() if not isinstance(value, Tensor)}
    fill(method, {**own, **tensors}, folder)
    return method


def fill(network: nn.Module, tensors: Mapping[str, Any], folder: Path) -> None:
    """Put the weights of the run in `folder` into a network, for evaluation; raises UserError if they do not fit."""
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError as error:
        own = network.state_dict()
        shapes = {key: [getattr(part.get(key), "shape", None) for part in (own, tensors)] for key in {*own, *tensors}}
        differs = min((key for key, (one, other) in shapes.items() if one != other), default="what is no tensor")
        raise UserError(f"{folder / WEIGHTS}: does not fit {CONFIG} beside it ({differs} differs)") from error
    network.eval().requires_grad_(False)


def load_weights(folder: Path) -> Mapping[str, Tensor]:
    """The tensors of a finished run; raises UserError if there are none or they are torn."""
    path = folder / WEIGHTS
    if not path.is_file():
        raise UserError(f"{path}: missing; the run has not finished, continue it with {pasted('resume', folder)}")
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
