"""Jobs; thin, each calls a service."""

from tenants.tasks.watch import watch_workers

__all__ = ["watch_workers"]
