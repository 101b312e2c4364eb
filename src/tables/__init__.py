"""Finished runs as tables, figures and pages; nothing is trained here, weights are loaded to see where they look."""
