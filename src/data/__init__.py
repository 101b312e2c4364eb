"""Images from disk: what files there are, how they are read, drawn and transformed."""
