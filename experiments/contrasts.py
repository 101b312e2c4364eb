"""The questions of an experiment, answered: differences of rows, paired by seed, each with its interval.

    python experiments/contrasts.py streets_places

`contrasts` in sweep.yaml lists families of questions, written down before the runs; a question is one or several
`row - row`, whose pairs are taken together. Rows are the experiment's own and those of the kept runs that `beside` and
`against` name; runs of another protocol (fewer steps) can stand under `against` alone, as one table cannot hold both.
contrasts.md beside it has, of each score, the mean difference with its 95 % interval (Student's t, of one question), p,
and p corrected after Holm for the whole family, what is not there yet included. Only the first score decides.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.system.arguments import Arguments
from src.system.errors import UserError
from src.system.files import as_bytes, write
from src.tables.cells import markdown_table
from src.tables.table.comparison import ALPHA
from src.tables.table.statistics import LEVEL, Paired, holm, paired

KEPT = Path(__file__).resolve().parent
DECIMALS = {"kid_efficientnet_lite0": 4, "swd_unit": 2}  # the first decides
ANSWERS = "contrasts.md"

Values = Mapping[str, Mapping[int, float]]
"""A score by row and seed."""


def values(folders: Sequence[Path], score: str) -> Values:
    """Of kept runs, whose folders are named <row>_seed<seed>; raises UserError if two have one name."""
    found: dict[str, dict[int, float]] = {}
    for folder in folders:
        row, _, seed = folder.name.rpartition("_seed")
        metrics = json.loads((folder / "metrics.json").read_text())["metrics"]
        if int(seed) in found.setdefault(row, {}):
            raise UserError(
                f"{folder}: {row} of seed {seed} is there already; leave one out of `beside` or `against` in sweep.yaml"
            )
        found[row][int(seed)] = metrics[score]
    return found


def answer(differences: Sequence[str], scores: Values) -> Paired | None:
    """The paired test of one question; None while fewer than two pairs are there."""
    ours, theirs = dict[int, float](), dict[int, float]()
    for difference in differences:
        first, second = (scores.get(row.strip(), {}) for row in difference.split(" - "))
        for seed in sorted(first.keys() & second.keys()):
            ours[len(ours)], theirs[len(theirs)] = first[seed], second[seed]
    return paired(ours, theirs)


def lines(family: Mapping[str, Sequence[str]], scores: Values, decimals: int) -> list[list[str]]:
    """A line a question."""
    tests = {question: answer(differences, scores) for question, differences in family.items()}
    corrected = holm([1.0 if test is None else test.p for test in tests.values()])
    found = []
    for (question, test), p in zip(tests.items(), corrected, strict=True):
        line = [question, ", ".join(family[question])]
        if test is None:
            found.append([*line, "-", "-", "-", "-", "not asked yet"])
            continue
        low, mean, high = (f"{x:+.{decimals}f}" for x in (test.low, test.difference, test.high))
        told = "no difference shown" if p >= ALPHA else "lower" if test.difference < 0 else "higher"
        found.append([*line, str(test.n), f"{mean} [{low}, {high}]", f"{test.p:.2g}", f"{p:.2g}", told])
    return found


def text(families: Sequence[Mapping[str, Sequence[str]]], folders: Sequence[Path]) -> str:
    """The page, a table a score."""
    headings = ["question", "rows", "pairs", f"difference [{LEVEL} interval]", "p", "p (Holm)", ""]
    parts = []
    for number, (score, decimals) in enumerate(DECIMALS.items()):
        scores = values(folders, score)
        parts.append(f"{score} ↓{', which decides nothing' if number else ''}:")
        parts += [markdown_table(headings, lines(family, scores, decimals), left=2) for family in families]
    return "\n\n".join(parts) + "\n"


def of_others(folder: Path, sweep: Any, *keys: str) -> list[Path]:
    """Kept runs of other experiments that sweep.yaml of an experiment's folder names under these keys."""
    return [path for key in keys for one in sweep.get(key, []) for path in sorted(folder.parent.glob(one))]


def write_answers(folder: Path, sweep: Any) -> None:
    """contrasts.md of an experiment's folder, if its sweep.yaml asks anything; raises UserError as `values` does."""
    if families := sweep.get("contrasts"):
        kept = [path.parent for path in sorted(folder.glob("runs/*/metrics.json"))]
        write(folder / ANSWERS, as_bytes(text(families, [*kept, *of_others(folder, sweep, "beside", "against")])))


def main() -> int:
    """Entry point."""
    parser = Arguments("python experiments/contrasts.py", __doc__ or "")
    parser.add_argument("name", help="of a folder beside this file")
    folder = KEPT / parser.parse_args().name
    if not (file := folder / "sweep.yaml").is_file():
        print(f"{folder}: no experiment with a sweep.yaml", file=sys.stderr)
        return 1
    try:
        write_answers(folder, OmegaConf.load(file))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"experiments/{folder.name}/{ANSWERS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
