"""Attention-sampled PatchNCE for unpaired image translation."""
