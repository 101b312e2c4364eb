"""A run as it is trained: what Lightning drives, and how it begins, is watched and ends."""
