"""Commands as a user starts them, without the seconds that each spends on imports.

A server, one to a process of tests, imports what commands import, and starts no thread. Asked for a command, it forks,
and the fork goes on as the main program of an interpreter that was called with `-m`: with streams and an environment of
its own, in a session of its own, and ended by signals, errors and exit codes as any other. What a test says of imports,
of another folder or Python, of a silent start, or of an environment that libraries read while they are imported, it
says of an interpreter started by `subprocess`.
"""

import atexit
import json
import os
import runpy
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from src.config import composition
from tests import garbage, read_once

ROOT = Path(__file__).resolve().parent.parent
IMPORTED = (
    *("src.training.run", "src.downstream.study", "src.translation.translate", "src.translation.weights.export"),
    *("src.tables.report", "src.metrics.per_image", "src.data.survey", "lightning.pytorch.strategies"),
)
COMPOSED = ("train", "translate", "segment", "study", "evaluate", "prepare")
READ_WHILE_IMPORTED = ("HF_", "LD_", "LOCAL_RANK", "MALLOC_", "MKL_", "MPL", "OMP_", "PYTHON", "RANK", "TORCH")


class Command:
    """What `subprocess.Popen` gives of one that is started, with both streams kept until it has ended."""

    def __init__(self, *line: str, env: dict[str, str] | None = None) -> None:
        environment = dict(os.environ) if env is None else env
        assert _early(environment) == _early(os.environ), "needs an interpreter of its own"
        self.line = line
        self.returncode: int | None = None
        self.stdout, self.stderr = _kept(), _kept()
        if sys.platform == "linux":
            self._told, told = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with told, open(os.devnull) as nothing:
                files = [told, nothing, self.stdout, self.stderr]
                request = json.dumps([line, environment]).encode()
                socket.send_fds(_server(), [request], [file.fileno() for file in files])
            self.pid, self._end = int(self._told.recv(32)), self._hear
        else:  # libraries of the system refuse to live on in a fork
            process = subprocess.Popen(
                [sys.executable, "-m", *line], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                stdout=self.stdout, stderr=self.stderr, start_new_session=True,
            )  # fmt: skip
            self.pid, self._end = process.pid, process.wait

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self.returncode = self._end(timeout)
        return self.returncode

    def _hear(self, timeout: float | None) -> int:
        self._told.settimeout(timeout)
        try:
            code = int(self._told.recv(32))
        except (TimeoutError, BlockingIOError) as error:
            raise subprocess.TimeoutExpired(self.line, timeout or 0) from error
        self._told.close()
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self.wait(timeout)
        with self.stdout, self.stderr:
            return said(self.stdout), said(self.stderr)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def said(stream: IO[str]) -> str:
    """All that came on it until now."""
    stream.seek(0)
    return stream.read()


def run(
    *line: str, env: dict[str, str] | None = None, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """`python -m` with the line, from the checkout's folder and without input; what it said and how it ended."""
    command = Command(*line, env=env)
    try:
        return subprocess.CompletedProcess(line, command.wait(timeout), *command.communicate())
    except BaseException:
        command.send_signal(9)
        raise


def _early(environment: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environment.items() if key.startswith(READ_WHILE_IMPORTED)}


def _kept() -> IO[str]:
    # what is appended does not depend on where a reader stands
    return TemporaryFile("a+", errors="surrogateescape")


@lru_cache(maxsize=1)
def _server() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.forked", str(theirs.fileno())],
            cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    atexit.register(server.wait)
    atexit.register(ours.close)  # upon which it ends
    return ours


def _asked_for(channel: socket.socket) -> tuple[list[str], dict[str, str]]:
    """Serves, and returns in the fork that is to become a command: its line and environment."""
    with garbage.not_looked_for():
        for name in IMPORTED:
            import_module(name)
        read_once.begin()
        for root in COMPOSED:  # a command's mistakes are those beside its root as it stands
            composition.composed(root)
            composition.groups(root)
    assert len(os.listdir("/proc/self/task")) == 1, "a thread does not live on in a fork"
    while True:
        request, files, *_ = socket.recv_fds(channel, 1 << 20, 4)
        if not request:  # the tests have ended
            sys.exit()
        if os.fork():
            for file in files:
                os.close(file)
            while os.waitpid(-1, os.WNOHANG)[0]:  # those whose command has ended
                pass
            continue
        told = socket.socket(fileno=files[0])
        if command := os.fork():  # waits for it: the server does not
            told.send(str(command).encode())
            told.send(str(os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])).encode())
            os._exit(0)
        for number, file in enumerate(files[1:]):
            os.dup2(file, number)
            os.close(file)
        told.close()
        channel.close()
        os.setsid()
        return json.loads(request)


if __name__ == "__main__":
    (_name, *sys.argv[1:]), _environment = _asked_for(socket.socket(fileno=int(sys.argv[1])))
    os.environ.clear()
    os.environ.update(_environment)
    runpy.run_module(_name, run_name="__main__", alter_sys=True)
