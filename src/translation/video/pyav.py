"""PyAV, which is there only where videos were asked for."""

from typing import Any

try:
    import av as _av
except ImportError:
    _av = None  # type: ignore[assignment]

av: Any = _av
"""None without the extra `video`."""
