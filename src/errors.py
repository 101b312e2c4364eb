"""The one exception that means: the user can mend this."""


class UserError(ValueError):
    """A mistake in the configuration or the data: one line that names the thing and the mend.

    Entry points print the line and exit with code 1; anything else keeps its traceback.
    """


def one_line(error: UserError) -> str:
    """The message alone: a process that reads images wraps it in its own traceback, whose last line is ours."""
    return str(error).strip().splitlines()[-1].removeprefix("src.errors.UserError: ")
