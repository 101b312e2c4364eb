"""The command lines of those commands that have no configuration."""

import argparse
from typing import NoReturn


class Arguments(argparse.ArgumentParser):
    """Answers a mistake in one line and exit code 1; --help shows the examples of the command's docstring.

    Args:
        prog: how the command is started.
        docstring: its first line says what the command does, the rest, where there is some, holds examples.
    """

    def __init__(self, prog: str, docstring: str) -> None:
        sentence, _, examples = docstring.strip().partition("\n\n")
        super().__init__(
            prog=prog,
            description=sentence,
            epilog=examples and f"examples and what else there is to know:\n\n{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """One line on stderr."""
        self.exit(1, f"{self.prog}: {message}; --help explains\n")
