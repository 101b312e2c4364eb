"""A page in the browser where a translator is tried on an image or a short video."""
