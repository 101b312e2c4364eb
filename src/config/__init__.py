"""From the command line to objects: schemas, names of runs, what values may be, building what `_target_` names."""
