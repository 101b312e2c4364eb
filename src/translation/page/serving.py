"""The page's server: on this machine unless told otherwise, asking and telling nobody, leaving no file behind."""

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from src.system.errors import UserError
from src.translation.page.policy import Policy
from src.translation.page.upload import Limits

CSS = Path(__file__).with_name("page.css")


@contextmanager
def quiet() -> Iterator[None]:
    """Gradio asks and tells nobody, and keeps its files in a folder that is gone afterwards."""
    with TemporaryDirectory(prefix="attention-cut-") as folder:
        own = {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": folder}
        before = {name: os.environ.get(name) for name in own}
        os.environ.update(own)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


@contextmanager
def served(page: Any, host: str, port: int, limits: Limits) -> Iterator[str]:
    """Serve the page from threads of this process, at the address that the block is given.

    Raises UserError if the port cannot be had.
    """
    import gradio as gr
    from starlette.middleware import Middleware

    logging.getLogger("httpx").setLevel(logging.WARNING)  # Gradio asks its own server whether it answers
    with socket.socket() as here:
        here.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            here.bind((host, port))
        except (OSError, OverflowError) as error:
            raise UserError(
                f"port={port}: cannot be had at {host} ({getattr(error, 'strerror', None) or error}); name another"
            ) from error
    try:
        _, address, _ = page.launch(
            server_name=host,
            server_port=port,
            share=False,
            prevent_thread_lock=True,
            quiet=True,
            enable_monitoring=False,
            mcp_server=False,
            ssr_mode=False,
            pwa=False,
            run_history=False,
            footer_links=[],
            max_file_size=int(limits.megabytes * 1e6),
            css_paths=CSS,
            theme=gr.themes.Default(primary_hue="blue", neutral_hue="slate", font="sans-serif", font_mono="monospace"),
            app_kwargs={"middleware": [Middleware(Policy)]},
        )
    except OSError as error:
        raise UserError(f"the server at {host}, port {port}, did not start in time; try again") from error
    try:
        yield str(address)
    finally:
        page.close(verbose=False)


def wait() -> None:
    """Until Ctrl-C or SIGTERM."""
    threading.Event().wait()
