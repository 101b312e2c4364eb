"""sbatch, srun and sacct for this one machine: as much of SLURM as an array of jobs with several tasks needs.

Which of them it is follows from the name it is called by. A submitted script is kept beside it as job.sh.
"""

import os
import re
import runpy
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, os.getcwd())  # where it stands instead is the folder of its copy

from tests import forked_ranks

ARRAY = "77"


def sbatch(script: str) -> None:
    text = Path(script).read_text()
    Path(__file__).with_name("job.sh").write_text(text)
    flags = dict(re.findall(r"^#SBATCH --([\w-]+)=(.*)$", text, re.MULTILINE))
    nodes, per_node = int(flags["nodes"]), int(flags["ntasks-per-node"])
    assert nodes == 1
    last = int(re.fullmatch(r"0-(\d+)%\d+", flags["array"])[1])
    print(f"Submitted batch job {ARRAY}", flush=True)
    if os.fork():
        return
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    time.sleep(1)  # the jobs' files come after the submission
    for index in range(last + 1):
        own = {"JOB_ID": int(ARRAY) + index, "ARRAY_JOB_ID": ARRAY, "ARRAY_TASK_ID": index, "JOB_NAME": "train"}
        size = {"JOB_NUM_NODES": nodes, "NNODES": nodes, "NTASKS": nodes * per_node, "NTASKS_PER_NODE": per_node}
        where = {"NODELIST": "localhost", "JOB_NODELIST": "localhost"}
        env = {f"SLURM_{name}": str(value) for name, value in {**own, **size, **where}.items()}
        subprocess.run(["bash", script], env={**os.environ, **env})


def srun(unbuffered: str, output: str, out: str, error: str, err: str, *command: str) -> None:
    assert (unbuffered, output, error) == ("--unbuffered", "--output", "--error")
    _python, _unbuffered, module, name, *arguments = command
    assert module == "-m"
    environments, streams = [], []
    for rank in map(str, range(int(os.environ["SLURM_NTASKS"]))):
        codes = {"%A": ARRAY, "%a": os.environ["SLURM_ARRAY_TASK_ID"], "%t": rank}
        streams.append((_opened(out, codes), _opened(err, codes)))
        environments.append({"SLURM_PROCID": rank, "SLURM_LOCALID": rank, "SLURM_NODEID": "0"})
    forked_ranks.fork(environments, streams)
    sys.argv[1:] = arguments
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _opened(path: str, codes: dict[str, str]) -> int:
    for code, value in codes.items():
        path = path.replace(code, value)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


if __name__ == "__main__":
    name = Path(sys.argv[0]).name
    if name == "sbatch":
        sbatch(sys.argv[1])
    elif name == "srun":
        srun(*sys.argv[1:])
