"""The files of a data set that a command names, or of the one that its run was trained on."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from src.config.build import build, complete
from src.data.layouts import Domains
from src.system.errors import UserError


def domains(data: DictConfig | None, own: DictConfig | None = None, run: Path | None = None) -> Domains:
    """The image files of a `data` node; a line on stderr names skipped frames.

    Args:
        data: the node of a command; of one that has a run, None, or what differs from the run's own node.
        own: that node, of a command that has a run.
        run: its folder, for messages.

    Raises UserError if there is no such set.
    """
    chosen = data is not None and "layout" in data and "_target_" in data.layout
    if own is not None and not chosen:
        data = OmegaConf.merge(own, data or {})  # type: ignore[assignment]
    if not isinstance(data, DictConfig) or "layout" not in data:
        raise UserError("data: names no layout; choose one of conf/data")
    try:
        listed: Domains = complete(build(data.layout, "data.layout"), "data.layout", data.root)
    except UserError as error:
        if own is None or chosen:
            raise
        missing = str(error).partition(";")[0]
        raise UserError(f"{missing}; {run} was trained on it, say where it lies now: +data.root=...") from error
    listed.demand_validation()
    listed.announce()
    return listed
