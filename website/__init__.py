"""The documentation's pages, made of what the repository holds."""
