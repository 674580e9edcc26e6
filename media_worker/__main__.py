"""`python -m media_worker`: one media worker, until SIGTERM or SIGINT.

Exit status 0 after a stop that was asked for, 1 when it cannot run, 2 when it is told nonsense.
"""

from __future__ import annotations

import logging.config
import os
import re
import sys
from typing import Any, Final

import structlog
import uvloop
from structlog.typing import EventDict, Processor, WrappedLogger

from media_worker.config import ConfigError, read_config
from media_worker.worker import Worker, WorkerError

TALKATIVE: Final = ("websockets", "httpx", "httpcore", "aiortc", "aioice", "libav")
SECRET_NAMES: Final = re.compile(r"secret|token|password|api_key|authorization", re.IGNORECASE)


def main() -> int:
    try:
        config = read_config(os.environ)
    except ConfigError as error:
        sys.stderr.write(f"media worker: {error}\n")
        return 2
    configure_logging(debug=config.debug)

    async def run() -> None:
        await Worker(config).run()

    try:
        uvloop.run(run())
    except WorkerError as error:
        sys.stderr.write(f"media worker: {error}\n")
        return 1
    return 0


def configure_logging(*, debug: bool) -> None:
    """One line an event to standard error: JSON, or for people where `debug` is on."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=False)
        if debug
        else structlog.processors.JSONRenderer(default=str)
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "lines": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": [structlog.stdlib.ExtraAdder(), *shared],
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        renderer,
                    ],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
            "root": {"handlers": ["stderr"], "level": "DEBUG" if debug else "INFO"},
            # These show headers with keys in them, or whole frames, when they may say everything.
            "loggers": {name: {"level": "WARNING"} for name in TALKATIVE},
        }
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank the values whose name says that they are secret."""
    return {key: "***" if SECRET_NAMES.search(key) else value for key, value in event.items()}


if __name__ == "__main__":
    sys.exit(main())
