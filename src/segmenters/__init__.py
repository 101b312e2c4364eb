"""Downstream networks: what is trained on translated frames and judged on real ones."""
