"""src.train, which gives up W&B's server after a second."""

from src import train
from src.training.wandb import session

if __name__ == "__main__":
    session.INIT_SECONDS = 1.0
    train.main()
