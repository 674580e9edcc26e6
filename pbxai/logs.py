"""Log lines of the web side: structlog over the standard library, one line an event, no secrets."""

from __future__ import annotations

import logging.config
import re
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN_KEYS: Final = re.compile(r"secret|token|password|api_key|authorization|cookie", re.I)
HIDDEN: Final = "***"
TOKEN_TEXTS: Final = re.compile(r"\b(pbx[itw])_[0-9a-f]{32}_[\w-]+")
"""Tokens of the API and of workers, and those in links of invitations."""


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank the values whose name says that they are secret."""
    return {key: HIDDEN if HIDDEN_KEYS.search(key) else value for key, value in event.items()}


def hide_token_texts(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Cut tokens out of every text of a line: addresses, errors, what a library has to say."""
    return {key: _without_tokens(value) for key, value in event.items()}


def _without_tokens(value: Any) -> Any:
    if isinstance(value, str):
        return TOKEN_TEXTS.sub(rf"\1_{HIDDEN}", value)
    if isinstance(value, list | tuple):
        return [_without_tokens(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_tokens(item) for key, item in value.items()}
    return value


def configure(*, debug: bool, machine: bool) -> None:
    """Set up logging to standard error; `machine` writes JSON lines."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
        structlog.processors.format_exc_info,
        hide_token_texts,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if machine
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "lines": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        renderer,
                    ],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
            "root": {"handlers": ["stderr"], "level": "INFO"},
            "loggers": {
                "django": {"level": "INFO"},
                # One line a request is the proxy's log; refusals are logged where they happen.
                "daphne.http_protocol": {"level": "WARNING"},
                "django.channels.server": {"level": "WARNING"},
                "celery.app.trace": {"level": "WARNING"},
                "celery.beat": {"level": "WARNING"},
                "celery.worker.strategy": {"level": "WARNING"},
                "tenants": {"level": "DEBUG" if debug else "INFO"},
            },
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
