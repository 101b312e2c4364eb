"""Do translated frames train a better segmenter? Every set times every seed, then the table; done parts are skipped.

python -m src.study runs=[outputs/sweeps/<sweep>] seeds=[0,1,2]
"""

from src.config.command import answer_early, entry

if __name__ == "__main__":
    answer_early("study")  # before the imports below, which take seconds

import sys

from src.config import schema
from src.downstream.study import study
from src.training.callbacks.checkpoint import Interrupted

schema.register()


@entry("study")
def main(config: schema.StudyConfig) -> None:
    """Entry point: prints table.md; a user's mistake becomes one line and exit code 1."""
    try:
        print(study(config), end="")
    except Interrupted as stop:  # while a segmenter trained
        print("stopped; the same command goes on", file=sys.stderr)
        sys.exit(stop.code)


if __name__ == "__main__":
    main()
