"""Train a translator: compose -> build -> fit -> translate -> evaluate -> metrics.json.

python -m src.train attention=triplet
"""

from src.config.command import answer_early, entry

if __name__ == "__main__":
    answer_early("train")  # before the imports below, which take seconds

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from src.config import naming, schema
from src.training.run import run

schema.register()
naming.register()


@entry("train", terminates=False)
def main(config: DictConfig) -> float:
    """Entry point; a user's mistake becomes one line and exit code 1, and lets the rest of a sweep go on."""
    return run(config, Path(HydraConfig.get().runtime.output_dir))


if __name__ == "__main__":
    # by its importable name, so that a launcher can hand it to other processes
    from src.train import main as task

    task()
