"""Tables on W&B: the scores of a run, and the table of a sweep."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from src.metrics.direction import better
from src.training.wandb.session import finish, in_one_line, package, say, start

if TYPE_CHECKING:
    from wandb import Run

COMPANIONS = ("raw", "source", "floor")


def log_table(run: "Run", key: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Rows as a wandb.Table; columns in the order in which they first appear, None where a row lacks one."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    table = package().Table(columns=columns, data=[[row.get(column) for column in columns] for row in rows])
    run.log({key: table})


def score_rows(names: Sequence[str], metrics: Mapping[str, float]) -> list[dict[str, object]]:
    """A row a score: which way it improves, the output's value and its companions', None where there is none."""
    return [
        {
            "score": name,
            "better": better(name),
            "output": metrics.get(name),
            **{companion: metrics.get(f"{name}_{companion}") for companion in COMPANIONS},
        }
        for name in names
    ]


def log_report(
    folder: Path, rows: Sequence[Mapping[str, object]], *, project: str, entity: str | None, mode: str
) -> None:
    """The table of a sweep as one more run of its group, of job type `report`.

    Args:
        folder: of the sweep; its name is the group's.
        rows: of the table, as `log_table` takes them.
        project: as in `WandbRun`, and so are the others.
        entity: see there.
        mode: see there.
    """
    run = start(folder, mode, project=project, entity=entity, group=folder.name, job_type="report", name=folder.name)
    code = 1
    try:
        log_table(run, "table", rows)
        code = 0
    except Exception as error:  # the table is in the sweep's folder all the same
        say(in_one_line(error))
    finish(run, code)
