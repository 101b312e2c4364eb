"""One file an attention module; `base` holds the contract they keep."""
