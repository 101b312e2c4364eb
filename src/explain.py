"""Where does a translator look? Source, output, score map and chosen places of each tap, and how they spread.

python -m src.explain run=outputs/<run> input=frames/ output=out/
python -m src.explain run=outputs/sweeps/<sweep> input=frame.png output=out/      its attentions side by side
"""

from src.config.command import answer_early, entry

if __name__ == "__main__":
    answer_early("explain")  # before the imports below, which take seconds

import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from src.config import schema
from src.data.images import read_image, write_image
from src.data.transforms import Transforms
from src.runs import hub
from src.runs.folder import CONFIG, load_config
from src.system.device import device
from src.system.errors import UserError
from src.tables.pictures.score_maps import explanation
from src.tables.pictures.trained import Trained, explained, load
from src.tables.table.collect import collect
from src.tables.table.rows import pooled
from src.translation.jobs import is_video, plan

schema.register()


@entry("explain")
def main(config: schema.ExplainConfig) -> None:
    """Entry point; a user's mistake becomes one line and exit code 1."""
    print(explain(config))


def explain(config: schema.ExplainConfig) -> Path:
    """Write a picture for each image; returns the folder they lie in."""
    folder, output, where = hub.folder_of(config.run), Path(config.output), device(config.accelerator)
    jobs = plan(config.input, output)
    if film := next((path for path, _ in jobs if is_video(path)), None):
        raise UserError(f"input={film}: is a video; name images")
    trained = [load(label, path, where, average=config.average) for label, path in _chosen(folder).items()]
    transforms, white = _one_size(trained), trained[0].white
    for number, (path, target) in enumerate(tqdm(jobs, desc="explaining", unit="image", file=sys.stderr)):
        frame = transforms.validation(read_image(path, white))
        picture = explanation(path.name, frame, [explained(run, frame, number, where) for run in trained])
        target.parent.mkdir(parents=True, exist_ok=True)
        write_image(target, picture)
    return output


def _chosen(folder: Path) -> dict[str, Path]:
    """Run folders by label: the one that was named, or of each row of a sweep the run of the lowest seed."""
    if (folder / CONFIG).is_file():
        return {str(load_config(folder).get("variant", folder.name)): folder}
    collection = collect([folder])
    if not collection.finished:
        raise UserError(f"run={folder}: none of its runs has finished; continue one with resume=")
    if collection.unfinished:
        print(f"left out, as they have not finished: {', '.join(collection.unfinished)}", file=sys.stderr)
    chosen = {}
    for row in pooled(collection.finished):
        seed, run = next(iter(row.runs.items()))
        chosen[row.label if len(row.runs) == 1 else f"{row.label}, seed {seed}"] = run.folder
    return chosen


def _one_size(trained: Sequence[Trained]) -> Transforms:
    """How frames are brought to size; raises UserError if the runs see them differently."""
    first = trained[0]
    for other in trained[1:]:
        if other.transforms.sizing != first.transforms.sizing:
            sizes = " and ".join(f"{one.transforms.height} pixels ({one.label})" for one in (first, other))
            raise UserError(f"run: its runs see frames of different sizes, {sizes}; explain them one by one")
        if other.white != first.white:
            raise UserError(f"run: its runs have data.white={first.white} and {other.white}; explain them one by one")
    return first.transforms


if __name__ == "__main__":
    main()
