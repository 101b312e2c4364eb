"""python -m tests.translation.page.unserved: what the page asks of its queue, printed as JSON."""

import json
import os

from src.translation.page.blocks import blocks
from src.translation.page.serving import quiet
from src.translation.page.upload import Limits

if __name__ == "__main__":
    with quiet():
        page = blocks(["one"], lambda *_: None, Limits(1, 1, 1), 3)
        events = [(one.api_visibility, one.concurrency_limit) for one in page.fns.values()]
        inside = os.environ["GRADIO_TEMP_DIR"]
    print(json.dumps([page._queue.max_size, page.analytics_enabled, events]))
    assert not os.path.exists(inside)
    assert "GRADIO_TEMP_DIR" not in os.environ
