"""`~` in what a user types is the home folder, wherever a path may stand."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from src.config.command import with_home
from tests import forked


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("data.root=~/x", "data.root=/home/ann/x"),
        ("data.root='~/x'", "data.root='/home/ann/x'"),
        ("runs=[~/a,~/b/c]", "runs=[/home/ann/a,/home/ann/b/c]"),
        ("train={images:~/i,labels:~/l}", "train={images:/home/ann/i,labels:/home/ann/l}"),
        ("data.root=/x~/y", "data.root=/x~/y"),
        ("~data.root", "~data.root"),
        ("input=~", "input=~"),
    ],
)
def test_it_is_written_out_where_a_path_begins(typed: str, meant: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/ann")
    assert with_home(typed) == meant


@pytest.mark.parametrize("typed", ["data.root=~/{}", "data.root='~/{}'"])
def test_a_command_finds_the_data_there(typed: str, frames: Callable[..., Path]):
    root = frames(train=4, test=3)
    home = {**os.environ, "HOME": str(root.parent)}
    done = forked.run("src.data.check", "data=folders", typed.format(root.name), env=home)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
