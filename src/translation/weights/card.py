"""The page that goes with an exported file: what it is, how to use it, how it was judged, what it is not."""

from pathlib import Path

from src.metrics.direction import better
from src.translation.weights.facts import Provenance

_HEADING = {
    "what": "what",
    "data": "trained on",
    "data_digest": "digest of the data",
    "training_size": "training images",
    "seed": "seed",
    "steps": "steps",
    "weights": "weights",
    "commit": "commit that trained it",
    "exported_by_commit": "commit that exported it",
    "input": "input",
    "output": "output",
    "sizes": "sizes",
    "tolerance": "checked",
}
_PROTOCOL = ("n_fake", "n_real", "side", "resize", "frames", "extractor", "extractor_sha256", "kid", "fid", "is", "swd")


def card(name: str, provenance: Provenance) -> str:
    """The page in Markdown.

    Args:
        name: of the file.
        provenance: of its weights.
    """
    facts = provenance.facts
    rows = [f"| {heading} | {facts[key]} |" for key, heading in _HEADING.items() if key in facts]
    return "\n".join(
        [
            f"# {Path(name).stem}",
            "",
            f"An unpaired translator, trained on {facts['data']}: images of the source become images like the "
            f"target's. Its weights are in `{name}`, which says the same of itself.",
            "",
            "```",
            f"python -m src.translate weights={name} input=<image or folder> output=<folder>",
            "```",
            "",
            "| | |",
            "|---|---|",
            *rows,
            "",
            "## Scores",
            "",
            *_scores(provenance),
            "",
            "## Limits",
            "",
            f"- It learnt from {facts['training_size']}. It takes frames of any size, but what it paints has the grain "
            "of that scale: bring frames near it first.",
            "- It knows the look of its two domains only; other frames come out in that look, or wrong.",
            "- Nothing holds it to the content: it may invent objects or lose them. `python -m src.content` counts "
            "them by class, given a segmenter; look at its outputs before they train or judge anything.",
            "- These are the numbers of one seed.",
            "",
            "## Licence",
            "",
            facts["licence"],
            "",
        ]
    )


def _scores(provenance: Provenance) -> list[str]:
    metrics, protocol = provenance.metrics, provenance.protocol
    deviations = {f"{name}{suffix}" for name in metrics for suffix in ("_std", "_spread", "_error")}
    # of the averaged weights; the last step's stand beside them
    suffix = "" if provenance.facts["weights"].startswith("average") else "_raw"
    names = [name for name in metrics if f"{name}_source" in metrics and name not in deviations]
    if not names:
        return ["None that a reference goes with."]
    table = ["| score | better | output | source, untranslated | real against real |", "|---|---|---:|---:|---:|"]
    for name in names:
        values = [metrics.get(name + end) for end in (suffix, "_source", "_floor")]
        cells = " | ".join("-" if value is None else f"{value:.4g}" for value in values)
        table.append(f"| `{name}` | {better(name)} | {cells} |")
    how = [f"- {key}: {protocol[key]}" for key in _PROTOCOL if key in protocol]
    return [*table, "", "Protocol:", "", *how]
