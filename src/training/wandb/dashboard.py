"""The page of src.dashboard, as W&B's own packages describe it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from src.metrics.direction import better
from src.system import packages
from src.system.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from wandb_workspaces.reports.v2.interface import PanelTypes
    from wandb_workspaces.workspaces import Workspace


def dashboard(entity: str, project: str, scores: Sequence[str]) -> "Workspace":
    """The specification of the page; nothing is sent.

    Training runs are grouped by `variant`. Bars are means over a variant's runs with their standard deviation.

    Args:
        entity: user or team.
        project: as in conf/logger/wandb.yaml.
        scores: names in metrics.json.
    """
    packages.demand("the dashboard", "wandb_workspaces", extra="wandb")
    import wandb_workspaces.workspaces as ws
    from wandb_workspaces.reports.v2 import interface as wr

    families = ("kid", "fid", "is", "swd_unit", "swd_std", "content")
    for score in scores:
        if not any(score == family or score.startswith(f"{family}_") for family in families):
            there = ", ".join(families)
            raise UserError(
                f"scores: no score is called {score!r}; they begin with {there}{did_you_mean(score, families)}"
            )
    variant = wr.Config("variant")
    bars: list[PanelTypes] = []
    curves: list[PanelTypes] = []
    for score in scores:
        grouped: dict[str, Any] = {"groupby": variant, "groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}
        grouped["title"] = f"{score} ({better(score)} is better)"
        bars.append(wr.BarPlot(metrics=[score], **grouped))
        curves.append(wr.LinePlot(x="batches", y=[f"val/{score}"], **grouped))
    return ws.Workspace(
        entity=entity,
        project=project,
        name="Scores by variant",
        sections=[
            ws.Section(name="Scores at the end", panels=bars, is_open=True),
            ws.Section(name="Scores during training", panels=curves, is_open=True),
            ws.Section(name="Source, output, score maps", panels=[wr.MediaBrowser(media_keys=["grid"])], is_open=True),
        ],
        runset_settings=ws.RunsetSettings(
            filters=ws.And(ws.Metric("JobType") == "train"),
            groupby=[ws.Config("variant")],
            pinned_columns=[f"summary:{score}" for score in scores],
        ),
    )
