"""Translate images and videos with a trained run, or a file of weights: files of the same names and sizes.

python -m src.translate run=outputs/... input=frames/ output=out/
python -m src.translate weights=translator.onnx input=frames/ output=out/
python -m src.translate run=outputs/... 'input="drives/*/front.mp4"' output=out/
python -m src.translate run=outputs/... split=train output=set/      a labelled source set, with its class maps
"""

from src.config.command import answer_early, entry

if __name__ == "__main__":
    answer_early("translate")  # before the imports below, which take seconds

from src.config import schema
from src.translation.translate import translate_inputs

schema.register()


@entry("translate")
def main(config: schema.TranslateConfig) -> None:
    """Entry point: a line of JSON for each video, then where the result lies; a user's mistake becomes one line."""
    print(translate_inputs(config))


if __name__ == "__main__":
    main()
