"""Which terms with which weights: plain torch, one file a method, one protocol in `base`."""
