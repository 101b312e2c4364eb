"""A finished run on the Hugging Face Hub: its weights, settings and scores, and a page about them.

python -m src.publish run=outputs/<run> repo=user/name
"""

from src.config.command import answer_early, entry

if __name__ == "__main__":
    answer_early("publish")  # before the imports below, which take seconds

import json

from src.config import schema
from src.translation.weights.publish import publish

schema.register()


@entry("publish")
def main(config: schema.PublishConfig) -> None:
    """Entry point; a user's mistake becomes one line and exit code 1."""
    print(json.dumps(publish(config)))


if __name__ == "__main__":
    main()
