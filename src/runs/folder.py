"""What a run is: a folder; what the files in it are called, and its configuration."""

from pathlib import Path

from omegaconf import DictConfig, ListConfig, OmegaConf

from src.config import old_names
from src.system.errors import UserError, did_you_mean
from src.system.files import write

CONFIG, WEIGHTS, METRICS, CHECKPOINT = "config.yaml", "weights.safetensors", "metrics.json", "last.ckpt"
COST = "cost.json"  # what no second run would repeat: seconds and memory
CURVE = "curve.csv"  # nor this: scores against minutes of training
PREVIOUS = "previous.ckpt"  # the checkpoint before the last, should that be damaged
CONTENT, CONTENT_PICTURE = "content.json", "content.png"  # what src.content found
SKIPPED = "skipped.txt"  # frames that could not be used
IMAGES, LOGS = "images", "logs"
LOCK = ".lock"  # held while a process trains there
REQUEUED = ".requeued"  # the run was put back into a queue

CHECKPOINTS = (CHECKPOINT, PREVIOUS)
ALL = (
    CONFIG,
    WEIGHTS,
    METRICS,
    COST,
    CURVE,
    *CHECKPOINTS,
    CONTENT,
    CONTENT_PICTURE,
    SKIPPED,
    IMAGES,
    LOGS,
    LOCK,
    REQUEUED,
)


def save_config(folder: Path, config: DictConfig) -> None:
    """Write the configuration with every interpolation resolved."""
    resolved = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    write(folder / CONFIG, OmegaConf.to_yaml(resolved).encode())


def read_config(path: Path) -> DictConfig | ListConfig:
    """What stands in a file of a configuration, with today's names of classes; all that reads runs reads them here."""
    written = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    return OmegaConf.create(old_names.in_place(written))  # type: ignore[no-any-return]


def load_config(folder: Path) -> DictConfig:
    """The configuration of a run folder; raises UserError if it is none."""
    path = folder / CONFIG
    if not path.is_file():
        others = [one.parent for one in folder.parent.glob(f"*/{CONFIG}")] if folder.parent.is_dir() else []
        mend = did_you_mean(folder, others) or "; name a folder that src.train wrote"
        raise UserError(f"{folder}: not a run folder, {CONFIG} is missing{mend}")
    try:
        config = read_config(path)
    except Exception as error:
        raise UserError(f"{path}: not readable as YAML ({str(error).splitlines()[0]})") from error
    if not isinstance(config, DictConfig):
        raise UserError(f"{path}: not a run's configuration; name a folder that src.train wrote")
    if "${" in path.read_text():
        raise UserError(f"{path}: refers to other values with ${{...}}, as no run does; write the values")
    return config
