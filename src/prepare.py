"""Decode a data set's training frames once, so that training reads them as raw pixels.

python -m src.prepare data=gta2cityscapes data.root=/datasets data.cache=/scratch/frames experiment=paper
"""

from src.config.command import answer_early, entry

if __name__ == "__main__":
    answer_early("prepare")  # before the imports below, which take seconds


from omegaconf import DictConfig

from src.config import naming, schema
from src.config.build import build
from src.data.datamodule import UnpairedData
from src.system.errors import UserError

schema.register()
naming.register()


@entry("prepare")
def main(config: DictConfig) -> None:
    """Entry point; a user's mistake becomes one line and exit code 1."""
    if config.data.cache is None:
        raise UserError("data.cache must name the folder for the decoded frames; give src.train the same")
    data: UnpairedData = build(config.data, "data")
    data.setup()
    print(config.data.cache)


if __name__ == "__main__":
    main()
