"""What is written and printed whole, whatever the names in it."""

import os
import subprocess
import sys
from pathlib import Path

from src.system.files import as_bytes, write
from tests.conftest import CONF


def test_a_name_that_is_no_utf8_is_kept_and_printed_as_its_own_bytes():
    name = b"frame \xff\xe9.png"
    assert as_bytes(os.fsdecode(name)) == name
    printing = "import sys; from src.system.files import print_any_name; print_any_name(); print(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", printing, name], cwd=CONF.parent, capture_output=True)
    assert (done.returncode, done.stdout) == (0, name + b"\n"), done.stderr


def test_a_file_may_have_the_longest_name_there_is(tmp_path: Path):
    for name in ("n" * 255, "名" * 85):
        write(tmp_path / name, b"content")
        assert (tmp_path / name).read_bytes() == b"content"
    assert len(list(tmp_path.iterdir())) == 2
