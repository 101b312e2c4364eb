"""Tensors in, scalar out: the terms of the objective."""
