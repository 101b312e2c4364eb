"""The generator of a run as one file for other programs, or to publish; checked before it is written.

python -m src.export run=outputs/... format=onnx output=translator.onnx
"""

from src.config.command import answer_early, entry

if __name__ == "__main__":
    answer_early("export")  # before the imports below, which take seconds

import json

from src.config import schema
from src.translation.weights.export import export

schema.register()


@entry("export")
def main(config: schema.ExportConfig) -> None:
    """Entry point; a user's mistake becomes one line and exit code 1."""
    print(json.dumps(export(config)))


if __name__ == "__main__":
    main()
