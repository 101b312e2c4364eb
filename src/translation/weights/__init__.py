"""Generators as single files: what is carried off, and what comes from elsewhere."""
