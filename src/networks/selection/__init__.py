"""From scores to places: one file a rule; `base` holds the contract they keep."""
