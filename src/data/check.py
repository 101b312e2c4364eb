"""Count and verify a data set: every file is read, nothing is written; exit code 1 if it cannot be trained on.

python -m src.data.check data=gta2cityscapes data.root=/datasets
"""

from src.config.command import answer_early, entry

if __name__ == "__main__":
    answer_early("check")  # before the imports below, which take seconds

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from src.config import schema
from src.config.build import build
from src.data import label_tables
from src.data.domains import domains
from src.data.ignore import ignore_masks
from src.data.labels import LabelTable
from src.data.sixteen_bits import white_of
from src.data.survey import Finding, duplicates, orphans, summary, survey
from src.system.device import cores
from src.system.errors import UserError

SHOWN = 10

schema.register()


@entry("check")
def main(config: schema.CheckConfig) -> None:
    """Entry point: a table on stderr, JSON on stdout; a user's mistake becomes one line and exit code 1."""
    report = check(config)
    _show(report)
    print(json.dumps(report))
    if not report["trainable"]:
        sys.exit(1)


def check(config: schema.CheckConfig) -> dict[str, Any]:
    """What the set holds, and what is wrong with it; "trainable" says whether src.train would read all its images.

    Raises UserError if its files cannot even be listed.
    """
    workers = cores() if config.workers is None else config.workers
    if workers < 1:
        raise UserError(f"workers must be >= 1, got {workers}")
    table = build(config.labels, "labels")
    assert isinstance(table, LabelTable)
    white = white_of(config.data)
    listed = domains(config.data)
    parts = listed.parts()
    found: dict[str, list[Finding]] = {}
    with tqdm(total=sum(map(len, parts.values())), unit="file", leave=False) as bar:
        for name, files in parts.items():
            bar.set_description(f"reading {name}")
            found[name] = []
            for finding in survey(files, quick=config.quick, workers=workers, white=white):
                found[name].append(finding)
                bar.update()
    ignored = {
        domain: masks.summary(listed.of(domain), quick=config.quick)
        for domain, masks in ignore_masks(config.data).items()
    }
    summaries = {name: summary(findings, table) for name, findings in found.items()}
    for part in summaries.values():
        part["ids_fit"] = label_tables.closest_table(part["ids"]) if part["ids"] else None
        part["other_table"] = label_tables.other_table(part["ids"], table) if part["ids"] else None
    return {
        "trainable": not any(part["unreadable"] for part in summaries.values())
        and not any(part["faults"] or not part["found"] for part in ignored.values()),
        "decoded": not config.quick,
        "root": None if config.data.root is None else str(Path(config.data.root).absolute()),
        "white": white,
        "parts": summaries,
        "ignored": ignored,
        "passed_over": dict(sorted(listed.passed_over.items())),
        "notes": list(listed.notes),
        "skipped": [entry.reason for entry in listed.skipped],
        "duplicates": duplicates(found),
        "orphans": orphans([*(path for files in parts.values() for path in files), *(s.image for s in listed.skipped)]),
    }


def _show(report: dict[str, Any]) -> None:
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)
    table = Table("", *report["parts"], title=report["root"])
    parts = list(report["parts"].values())
    for row in ("files", "readable", "labelled"):
        table.add_row(row, *(str(part[row]) for part in parts))
    for row in ("sizes", "channels"):
        table.add_row(row, *(_most(part[row]) for part in parts))
    shares = [{name: f"{share:.1%}" for name, share in part["class_shares"].items()} for part in parts]
    table.add_row("class shares", *map(_most, shares))
    console.print(table)
    for title, lines in _remarks(report):
        if lines:
            console.print(f"{title} ({len(lines)}):")
            for line in lines[:SHOWN]:
                console.print(f"  {line}")
            if len(lines) > SHOWN:
                console.print(f"  and {len(lines) - SHOWN} more, all in the JSON")
    depth = "all files decoded" if report["decoded"] else "headers only, pictures not decoded"
    for domain, part in report["ignored"].items():
        share = "not decoded" if part["share"] is None else f"{part['share']:.1%} of the pixels"
        console.print(f"ignored of {domain}: {share}; {part['found']} frames with a mask, {part['missing']} without")
    verdict = (
        "can be trained on"
        if report["trainable"]
        else "cannot be trained on: mend or remove the unreadable images and the masks that do not fit"
    )
    console.print(f"{verdict} ({depth})")


def _remarks(report: dict[str, Any]) -> list[tuple[str, list[str]]]:
    parts = report["parts"]
    unknown = [
        f"{name}: id {identity} in {count} class maps"
        for name, part in parts.items()
        for identity, count in part["unknown_ids"].items()
    ]
    profiles = [line for part in parts.values() for line in part["profile_faults"]]
    deep = [
        f"{name}: {part['sixteen_bits']} files, whose values end at {part['highest']}; perhaps data.white={near}"
        for name, part in parts.items()
        if part["highest"] and (near := _white(part["highest"])) < report["white"]
    ]
    other = [f"{name}: choose labels={part['other_table']}" for name, part in parts.items() if part["other_table"]]
    return [
        ("unreadable images", [line for part in parts.values() for line in part["unreadable"]]),
        ("skipped frames", report["skipped"]),
        ("class maps that cannot be used", [line for part in parts.values() for line in part["label_faults"]]),
        ("ids that the label table does not know, choose another with labels=", unknown),
        ("ids that belong to another label table", other),
        ("class maps without an image", report["orphans"]),
        ("same picture in several parts", [" = ".join(group) for group in report["duplicates"]]),
        ("colour profiles that cannot be used, read as sRGB", profiles),
        (f"16-bit images that are dark with data.white={report['white']}, choose another", deep),
        ("masks that do not fit", [line for part in report["ignored"].values() for line in part["faults"]]),
        ("images of one colour", [line for part in parts.values() for line in part["one_colour"]]),
    ]


def _white(highest: int) -> int:
    """The largest value of as many bits as the values of a file need: 4095 for those that end at 4080."""
    return int(2 ** max(8, highest.bit_length()) - 1)


def _most(counts: Mapping[str, object]) -> str:
    items = list(counts.items())
    lines = [f"{value}: {count}" for value, count in items[:3]]
    return "\n".join(lines + ([f"and {len(items) - 3} more"] if len(items) > 3 else []))


if __name__ == "__main__":
    main()
