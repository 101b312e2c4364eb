"""Lightning shells: optimisers, the order of updates, logging; no arithmetic of the method."""
