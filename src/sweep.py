"""What Hydra leaves out about sweeps: one without a job is a mistake, not a success."""

import sys
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig


class RefuseEmpty(Callback):
    """Ends `-m table1=glob(x*)` with one line and exit code 1, where Hydra would run nothing and say nothing."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Before any job and any folder."""
        loader = GlobalHydra.instance().config_loader()
        parser = OverridesParser.create(config_loader=loader)
        for override in parser.parse_overrides(list(config.hydra.overrides.task)):
            if not override.is_discrete_sweep() or any(True for _ in override.sweep_string_iterator()):
                continue
            there = loader.get_group_options(override.key_or_group)
            message = f"{override.input_line}: matches nothing, so there is no job to run"
            # Hydra turns a callback's exceptions into warnings; this one is none
            sys.exit(f"{message}; there are {', '.join(there)}" if there else message)
