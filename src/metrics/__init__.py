"""Scores of a set of images against another: only what torchmetrics and torch-fidelity lack."""
