"""Frames, films and labelled sets through a trained generator, which comes from a run or from a file."""
