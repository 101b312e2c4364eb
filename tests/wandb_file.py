"""Reads what an offline run recorded, from its .wandb file: LevelDB's log format, a protobuf record each."""

import json
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import MetricRecord, Record, RunRecord

HEADER, BLOCK, FULL, LAST = 7, 32768, 1, 4


@dataclass
class Recorded:
    """One .wandb file; `exit_code` is None where the run was never finished."""

    run: RunRecord
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, MetricRecord] = field(default_factory=dict)
    exit_code: int | None = None


def read(path: Path) -> Recorded:
    recorded = Recorded(RunRecord())
    for record in _records(path.read_bytes()):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            recorded.run = record.run
            _update(recorded.config, record.run.config.update)
        elif kind == "config":
            _update(recorded.config, record.config.update)
        elif kind == "history":
            recorded.history.append(_update({}, record.history.item))
        elif kind == "summary":
            _update(recorded.summary, record.summary.update)
        elif kind == "metric":
            recorded.metrics[record.metric.name or record.metric.glob_name] = record.metric
        elif kind == "exit":
            recorded.exit_code = record.exit.exit_code
    return recorded


def read_all(folder: Path, patience: float = 20) -> list[Recorded]:
    """Every run below a folder, in the order of their names, once all are finished.

    On a busy machine wandb's service writes its last block a little after `finish` has returned.
    """
    deadline = time.monotonic() + patience
    while True:
        found = [read(path) for path in sorted(folder.rglob("run-*.wandb"))]
        if all(recorded.exit_code is not None for recorded in found) or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def _update(into: dict[str, Any], items: Any) -> dict[str, Any]:
    for item in items:
        *path, last = item.nested_key or [item.key]
        place = into
        for key in path:
            place = place.setdefault(key, {})
        place[last] = json.loads(item.value_json)
    return into


def _records(data: bytes) -> Iterator[Record]:
    position, pieces = HEADER, b""
    while position + HEADER <= len(data):
        left = BLOCK - position % BLOCK
        if left < HEADER:
            position += left
            continue
        _, length, kind = struct.unpack("<IHB", data[position : position + HEADER])
        position += HEADER
        if position + length > len(data):
            return  # still being written
        pieces += data[position : position + length]
        position += length
        if kind in (FULL, LAST):
            yield Record.FromString(pieces)
            pieces = b""
