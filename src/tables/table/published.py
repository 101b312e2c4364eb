"""The paper's own numbers, as printed: Table 1 of Zhang, Zhou, Wang and Knoll 2023 (arXiv:2302.12052).

How many images, at what size and by which implementation is not said there, nor are seeds: quoted, never compared.
"""

SOURCE = "Table 1 of Zhang et al. 2023, arXiv:2302.12052"

# family of scores -> (heading, value by variant); the scale of its SWD is the one we call `swd_std`
_VARIANTS = ("cut", "cyclegan", "self", "external", "bam", "triplet")
_PRINTED = {
    "fid": ("FID", ("55.48", "52.87", "51.41", "52.68", "51.40", "50.55")),
    "is": ("IS", ("2.42", "2.44", "2.45", "2.32", "2.42", "2.31")),
    "swd_std": ("SWD", ("395.78", "287.18", "354.234", "390.29", "388.73", "346.21")),
}
QUOTED = {family: (name, dict(zip(_VARIANTS, row, strict=True))) for family, (name, row) in _PRINTED.items()}
