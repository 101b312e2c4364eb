"""Does a translator keep the content? A segmenter of real images judges G(x) against x's labels.

python -m src.content run=outputs/<run> judge=outputs/segment/<run>
"""

from src.config.command import answer_early, entry

if __name__ == "__main__":
    answer_early("content")  # before the imports below, which take seconds

import json

from src.config import schema
from src.downstream.content import content

schema.register()


@entry("content")
def main(config: schema.ContentConfig) -> None:
    """Entry point; a user's mistake becomes one line and exit code 1."""
    headline = content(config)
    print(json.dumps({"run": config.run, **headline}))


if __name__ == "__main__":
    main()
