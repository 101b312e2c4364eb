"""The scores of a project's runs on one W&B page: bars by variant, curves over training, the panels.

python -m src.dashboard entity=my-team
"""

from src.config.command import answer_early, entry

if __name__ == "__main__":
    answer_early("dashboard")  # before the imports below, which take seconds

from src.config import schema
from src.system.errors import UserError
from src.training.wandb.dashboard import dashboard

schema.register()


@entry("dashboard")
def main(config: schema.DashboardConfig) -> None:
    """Entry point: saves the page, which needs an account, and prints its address."""
    workspace = dashboard(config.entity, config.project, config.scores)
    try:
        workspace.save()
    except Exception as error:
        reason = " ".join(str(error).split())
        raise UserError(f"W&B did not take the dashboard ({reason}); log in with: wandb login") from error
    print(workspace.url)


if __name__ == "__main__":
    main()
