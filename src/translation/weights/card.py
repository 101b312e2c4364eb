"""The page that goes with weights: what they are, how to use them, how they were judged, what they are not.

One for an exported file, one for a run on the Hub.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import OmegaConf

from src.metrics.direction import better, distance
from src.metrics.references import LEARNT_NOTHING, NAMES, OLDEST
from src.translation.weights.facts import Provenance

_HEADING = {
    "what": "what",
    "hub": "exported from",
    "data": "trained on",
    "data_digest": "digest of the data",
    "training_size": "training images",
    "seed": "seed",
    "steps": "steps",
    "began_with": "began with",
    "weights": "weights",
    "weights_sha256": "sha256 of the run's weights",
    "commit": "commit that trained it",
    "exported_by_commit": "commit that exported it",
    "input": "input",
    "output": "output",
    "sizes": "sizes",
    "white": "16-bit files",
    "tolerance": "checked",
}
_PROTOCOL = (
    *("n_fake", "n_real", "side", "resize", "frames", "frame_size", "white", "extractor", "extractor_sha256"),
    *("kid", "fid", "is", "swd", "sharpness", "floor", "transfer", "aligned"),
)
_USE = """\
Research on translation without pairs, and frames of a simulator or game as training data for networks that are then
judged on real ones. Outputs are no photographs and show nothing that happened: do not pass them off as such, and let
nothing that people's safety hangs on be tested on them alone.""".splitlines()
_METHOD = """\
The method: Zhang, Zhou, Wang and Knoll, "Attention Mechanism for Contrastive Learning in GAN-based Image-to-Image
Translation", 2023, [arXiv:2302.12052](https://arxiv.org/abs/2302.12052), on CUT (Park et al., 2020,
[arXiv:2007.15651](https://arxiv.org/abs/2007.15651)).""".splitlines()


def card(name: str, provenance: Provenance) -> str:
    """The page of an exported file in Markdown.

    Args:
        name: of the file.
        provenance: of its weights.
    """
    lead = [
        *_what(provenance),
        f"Its weights are in `{name}`, which says the same of itself.",
        "",
        "```",
        f"python -m src.translate weights={name} input=<image or folder> output=<folder>",
        "```",
    ]
    return "\n".join([*_page(Path(name).stem, lead, provenance), ""])


def hub_card(repo: str, files: Sequence[str], picture: str | None, provenance: Provenance) -> str:
    """The page of a run on the Hub: Markdown below a header of YAML.

    Args:
        repo: user/name.
        files: that stand beside it.
        picture: of them, the panel of the run.
        provenance: of its weights.
    """
    header = {
        **provenance.terms.hub,
        "library_name": "attention-cut",
        "pipeline_tag": "image-to-image",
        "tags": ["unpaired-image-translation", "contrastive-learning", "sim-to-real", "gan", "safetensors"],
    }
    panel = [f"![Validation frames, and what the generator makes of them]({picture})", ""] if picture else []
    caption = "*Validation frames: source and output; then the score of each tap, and the places PatchNCE compared.*"
    lead = [
        *_what(provenance),
        f"Licence of the weights: {provenance.terms.licence}.",
        "",
        *panel,
        *([caption, ""] if picture else []),
        "In a checkout of attention-cut:",
        "",
        "```",
        "pip install -e '.[hub]'",
        f"python -m src.translate run=hf://{repo} input=<image, video or folder> output=<folder>",
        "```",
        "",
        f"`run=hf://{repo}@<commit>` is these very weights, whatever is published here later. `src.explain`, "
        "`src.export`, `src.study` and `init_from=` of `src.train` take it too.",
        "",
        f"Beside this page: {', '.join(f'`{name}`' for name in files)}. The weights are all networks of the "
        "run after its last step, and the average of its generator.",
    ]
    page = _page(repo.partition("/")[2], lead, provenance)
    return "\n".join(["---", OmegaConf.to_yaml(OmegaConf.create(header)).rstrip(), "---", "", *page, ""])


def _what(provenance: Provenance) -> list[str]:
    data = provenance.facts["data"]
    return [f"An unpaired translator, trained on {data}: images of the source become images like the target's."]


def _page(title: str, lead: Sequence[str], provenance: Provenance) -> list[str]:
    facts = provenance.facts
    shown = {heading: facts[key].replace("|", r"\|") for key, heading in _HEADING.items() if key in facts}
    rows = [f"| {heading} | {fact} |" for heading, fact in shown.items()]
    return [
        *(f"# {title}", "", *lead, ""),
        *("| | |", "|---|---|", *rows, ""),
        *("## Scores", "", *_scores(provenance), ""),
        *("## Intended use", "", *_USE, ""),
        *("## Limits", "", *_limits(facts["training_size"], provenance.protocol.get("discriminator_through")), ""),
        *("## Licence and credits", "", facts["licence"], ""),
        *(f"- {credit}" for credit in provenance.terms.credits),
        *([""] if provenance.terms.credits else []),
        *_METHOD,
    ]


def _limits(size: str, through: object) -> list[str]:
    judge = f"- In training D looked through {through}: scores by networks of its family may flatter."
    return [
        f"- It learnt from {size}. It takes frames of any size, but what it paints has the grain "
        "of that scale: bring frames near it first.",
        "- It knows the look of its two domains only; other frames come out in that look, or wrong.",
        "- Nothing holds it to the content: it may invent objects or lose them. `python -m src.content` counts "
        "them by class, given a segmenter; look at its outputs before they train or judge anything.",
        *([judge] if through is not None else []),
        "- These are the numbers of one seed.",
    ]


def _scores(provenance: Provenance) -> list[str]:
    metrics, protocol = provenance.metrics, provenance.protocol
    deviations = {f"{name}{suffix}" for name in metrics for suffix in ("_std", "_spread", "_error")}
    # of the averaged weights; the last step's stand beside them
    suffix = "" if provenance.facts["weights"].startswith("average") else "_raw"
    names = [name for name in metrics if f"{name}_source" in metrics and name not in deviations]
    if not names:
        return ["None that a reference goes with."]
    shown = [end for end in NAMES if end in OLDEST or any(name + end in metrics for name in names)]
    table = [
        f"| score | better | output | {' | '.join(NAMES[end] for end in shown)} |",
        f"|---|---|---:|{'---:|' * len(shown)}",
    ]
    for name in names:
        values = [metrics.get(name + end) for end in (suffix, *shown)]
        cells = " | ".join("-" if value is None else f"{value:.4g}" for value in values)
        table.append(f"| `{name}` | {better(name)} | {cells} |")
    texts = {key: str(protocol[key]).replace("*", r"\*") for key in _PROTOCOL if key in protocol}
    how = [f"- {key}: {text}" for key, text in texts.items()]
    return [*table, "", *_verdict(metrics, names, suffix), "Protocol:", "", *how]


def _verdict(metrics: Mapping[str, float], names: Sequence[str], suffix: str) -> list[str]:
    """By which scores the output beats all that learns nothing; empty for runs of which only the source was scored."""
    by: dict[bool, list[str]] = {True: [], False: []}
    for name in names:
        ends = [end for end in (suffix, *LEARNT_NOTHING) if name + end in metrics]
        if len(ends) > len(LEARNT_NOTHING):
            ours, *others = (distance(name, metrics[name + end]) for end in ends)
            by[ours < min(others)].append(f"`{name}`")
    if not any(by.values()):
        return []
    yes, no = (", ".join(by[beats]) or "none" for beats in (True, False))
    return [f"Better than the source and both colour methods, which learn nothing, by: {yes}. Not so by: {no}.", ""]
