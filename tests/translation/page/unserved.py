"""python -m tests.translation.page.unserved: what the page asks of its queue, and whom it remembers, as JSON."""

import json
import os
import weakref
from pathlib import Path
from types import SimpleNamespace

from src.translation.page.answer import Left
from src.translation.page.blocks import blocks
from src.translation.page.serving import quiet
from src.translation.page.upload import Limits

FRAME = Path(__file__).resolve().parents[3] / "docs/streets_outputs.png"


class Id(str):
    """Of a tab; can be referred to weakly, as a plain string cannot."""


def remembered(page, found: list[bool]) -> list:
    """Ids that are kept after ten thousand tabs were closed, and whether the last two of them and another one are."""
    by_event = {one.targets[0][1]: one.fn for one in page.fns.values()}
    kept = weakref.WeakSet[Id]()
    for number in range(10_000):
        tab = Id(number)
        kept.add(tab)
        by_event["unload"](SimpleNamespace(session_hash=tab))
    for name in ("9998", "9999", "10000"):
        list(by_event["upload"]("one", str(FRAME), SimpleNamespace(session_hash=name)))
    return [len(kept), found]


if __name__ == "__main__":
    found = []

    def respond(label, path, folder, has_left):
        found.append(has_left())
        raise Left

    with quiet():
        page = blocks(["one"], respond, Limits(9, 9, 9), 3)
        events = [(one.api_visibility, one.concurrency_limit) for one in page.fns.values()]
        inside = os.environ["GRADIO_TEMP_DIR"]
    asked = [page._queue.max_size, page.analytics_enabled, events]
    print(json.dumps({"queue": asked, "remembered": remembered(page, found)}))
    assert not os.path.exists(inside)
    assert "GRADIO_TEMP_DIR" not in os.environ
