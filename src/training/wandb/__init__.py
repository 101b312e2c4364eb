"""Weights & Biases: runs, their curves, pictures and tables. Without `logger=wandb` the package is never imported."""
