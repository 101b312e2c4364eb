"""A run folder: what lies in it, how a run is found, locked, continued, listed and removed.

python -m src.runs      lists the runs in outputs/ and removes them: src.runs.__main__
"""
