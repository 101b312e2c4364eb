"""The paper's own numbers, as printed: Table 1 of Zhang, Zhou, Wang and Knoll 2023 (arXiv:2302.12052).

How many images, at what size and by which implementation is not said there, nor are seeds: quoted, never compared.
"""

SOURCE = "Table 1 of Zhang et al. 2023, arXiv:2302.12052"

# family of scores -> (heading, value by variant); the scale of its SWD is the one we call `swd_std`
QUOTED: dict[str, tuple[str, dict[str, str]]] = {
    "fid": (
        "FID",
        {"cut": "55.48", "cyclegan": "52.87", "self": "51.41", "external": "52.68", "bam": "51.40", "triplet": "50.55"},
    ),
    "is": (
        "IS",
        {"cut": "2.42", "cyclegan": "2.44", "self": "2.45", "external": "2.32", "bam": "2.42", "triplet": "2.31"},
    ),
    "swd_std": (
        "SWD",
        {
            "cut": "395.78",
            "cyclegan": "287.18",
            "self": "354.234",
            "external": "390.29",
            "bam": "388.73",
            "triplet": "346.21",
        },
    ),
}
