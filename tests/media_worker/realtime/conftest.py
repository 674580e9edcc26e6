from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import structlog


@pytest.fixture
def log_lines() -> Iterator[list[dict[str, Any]]]:
    """What is logged, whatever the configuration of logging is."""
    with structlog.testing.capture_logs() as lines:
        yield lines
