"""Train a segmenter on a labelled set and score it on another, usually of real images.

python -m src.segment train=<labelled set> test=<labelled set>
"""

from src.config.command import answer_early, entry

if __name__ == "__main__":
    answer_early("segment")  # before the imports below, which take seconds

import json
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from src.config import naming, schema
from src.downstream.run import run

schema.register()
naming.register()


@entry("segment", terminates=False)
def main(config: DictConfig) -> float:
    """Entry point; a user's mistake becomes one line and exit code 1."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    metrics = run(config, folder)
    print(json.dumps({"run": str(folder), **metrics}))
    return metrics["miou"]


if __name__ == "__main__":
    main()
