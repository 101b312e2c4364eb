"""A run is opened by one process, begun once, goes on from its checkpoint and is finished by its scores alone."""

from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from src.runs import folder as files
from src.runs import resuming
from src.runs.folder import load_config, save_config
from src.runs.results import load_cost, load_metrics
from src.runs.run import opened
from src.system.commit import git_commit
from src.system.errors import UserError
from tests import forked

CONFIG = OmegaConf.create({"seed": 3, "trainer": {"max_epochs": 2, "devices": 2}, "resume": None})


def write_checkpoint(folder: Path, batches: int) -> None:
    torch.save({"batches": batches}, folder / files.CHECKPOINT)


def test_a_new_run_starts_at_the_beginning_and_keeps_its_configuration(tmp_path: Path):
    with opened(tmp_path, CONFIG, resume=False) as run:
        assert (run.start, run.scores, run.continued, run.commit) == (None, None, False, git_commit())
        run.keep_config(but={"trainer.devices"})
    assert load_config(tmp_path) == CONFIG


def test_a_continued_run_goes_on_from_its_checkpoint_and_keeps_what_it_was_begun_with(tmp_path: Path):
    save_config(tmp_path, CONFIG)
    write_checkpoint(tmp_path, 5)
    now = OmegaConf.merge(CONFIG, {"seed": 4, "trainer": {"devices": 8}})
    with opened(tmp_path, now, resume=True) as run:
        assert (run.start, run.scores, run.continued) == (tmp_path / files.CHECKPOINT, None, True)
        run.keep_config(but={"trainer.devices"})
    assert load_config(tmp_path) == OmegaConf.merge(CONFIG, {"seed": 4})


def test_a_new_run_overwrites_none(tmp_path: Path):
    write_checkpoint(tmp_path, 5)
    with pytest.raises(UserError, match="already holds a run"), opened(tmp_path, CONFIG, resume=False):
        pytest.fail("opened")


def test_a_finished_run_has_its_scores_and_no_way_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_checkpoint(tmp_path, 5)
    with opened(tmp_path, CONFIG, resume=True) as run:
        run.finish({"kid": 0.25}, {"batches": 12, "epochs": 2}, {"seconds": 3.0})
    with opened(tmp_path, CONFIG, resume=True, epochs=2) as run:
        assert (run.scores, run.start) == ({"kid": 0.25}, None)
    assert "finished, after batch 12" in capsys.readouterr().err
    with opened(tmp_path, CONFIG, resume=True, epochs=3) as run:  # trained longer
        assert (run.scores, run.start) == (None, tmp_path / files.CHECKPOINT)


def test_it_is_finished_last_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where the scores are, nothing is missing; a job killed before is put back and goes on."""
    (tmp_path / files.REQUEUED).touch()

    def killed(folder: Path, *arguments: object) -> None:
        assert load_cost(folder) == {"seconds": 3.0}
        raise KeyboardInterrupt

    with opened(tmp_path, CONFIG, resume=False) as run:
        with monkeypatch.context() as patch:
            patch.setattr("src.runs.run.save_metrics", killed)
            with pytest.raises(KeyboardInterrupt):
                run.finish({"kid": 0.25}, {}, {"seconds": 3.0})
        assert (tmp_path / files.REQUEUED).exists()
        assert resuming.finished(tmp_path) is None
        run.finish({"kid": 0.25}, {"n": 4}, {"seconds": 3.0})
    assert load_metrics(tmp_path) == ({"kid": 0.25}, {"n": 4})
    assert not (tmp_path / files.REQUEUED).exists()


def test_one_process_at_a_time_and_the_lock_goes_whatever_happens(tmp_path: Path):
    def other() -> str:
        return forked.run("tests.runs.opening", str(tmp_path)).stdout

    def train() -> None:
        with opened(tmp_path, CONFIG, resume=False):
            assert "another process trains here" in other()
            raise RuntimeError("of training")

    with pytest.raises(RuntimeError, match="of training"):
        train()
    assert not (tmp_path / files.LOCK).exists()
    assert other() == "opened\n"


@pytest.mark.parametrize("came_back", [True, False])
def test_a_job_that_comes_back_goes_on(came_back: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """SLURM starts a job that it took back with the same command line, which asks for nothing."""
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1" if came_back else "0")
    save_config(tmp_path, OmegaConf.merge(CONFIG, {"seed": 7}))
    asked, resume = resuming.configured(tmp_path, CONFIG, {}, {})
    assert (asked.seed, resume) == (3, False)  # it had not come to its first checkpoint
    write_checkpoint(tmp_path, 5)
    asked, resume = resuming.configured(tmp_path, CONFIG, {}, {})
    assert (asked.seed, resume) == ((7, True) if came_back else (3, False))


def test_what_was_found_of_the_weights_before_goes_with_them(tmp_path: Path):
    """The scores that src.content adds go when a run is trained longer, and so does the picture that a report shows."""
    write_checkpoint(tmp_path, 5)
    for name in (files.CONTENT, files.CONTENT_PICTURE):
        (tmp_path / name).touch()
    with opened(tmp_path, CONFIG, resume=True, epochs=3) as run:
        run.finish({"kid": 0.25}, {"batches": 18, "epochs": 3}, {"seconds": 3.0})
    assert not {files.CONTENT, files.CONTENT_PICTURE} & {path.name for path in tmp_path.iterdir()}
