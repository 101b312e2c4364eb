"""The ablation table of finished runs: table.md, .csv, .tex and .png, runs.csv with every seed's scores, report.html.

python -m src.report outputs/sweeps/<sweep>
python -m src.report outputs/sweeps/<sweep> outputs/<run> --output out/      several together
python -m src.report outputs/sweeps/<sweep> --apart triplet bam              how many seeds would tell these two apart
python -m src.report outputs/study                                           the downstream table of a study
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from src.system import stopping
from src.system.arguments import Arguments

PARSER = Arguments("python -m src.report", f"{__doc__}\nread on: docs/scores.md")
PARSER.add_argument(
    "folders", nargs="+", type=Path, metavar="FOLDER", help="runs, sweeps, folders of those, or one study"
)
PARSER.add_argument("--output", type=Path, help="where the files go; by default into the one folder named")
PARSER.add_argument(
    "--apart", nargs=2, metavar="ROW", help="two rows of the table; by default each row is held against its CUT row"
)

if __name__ == "__main__":
    stopping.quiet_from_the_start()
    PARSER.parse_args()  # --help is answered before the imports below, which take seconds

from src.system.errors import UserError
from src.system.files import print_any_name
from src.tables import study_table
from src.tables.report import PAGE, report
from src.tables.table import stopping as rule
from src.tables.table import text


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point: prints table.md; a user's mistake becomes one line and exit code 1."""
    options = PARSER.parse_args(arguments)
    print_any_name()
    try:
        if options.output is None and len(options.folders) > 1:
            raise UserError("several folders: say where the table goes with --output")
        output = options.output or options.folders[0]
        if len(options.folders) == 1 and (options.folders[0] / study_table.STUDY).is_file():
            print(study_table.report(study_table.load(options.folders[0]), output), end="")
            print(f"written: {output}/table.md, .csv and .tex", file=sys.stderr)
            return 0
        table = report(options.folders, output)
        advice = rule.stopping(table, options.apart)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    print(text.markdown(table), end="")
    for line in advice:
        print(line, file=sys.stderr)
    print(f"written: {output}/table.md, .csv, .tex, .png, runs.csv and {PAGE}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    with stopping.ending("stopped; the same command makes the whole table"):
        sys.exit(main())
