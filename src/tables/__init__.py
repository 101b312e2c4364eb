"""Finished run folders as tables, figures and pages; nothing is trained or loaded here."""
