"""The operator's pages: Django admin, one module a noun."""

from tenants.console import (  # noqa: F401 - each registers its pages
    accounts,
    agents,
    audit,
    calls,
    numbers,
    platform,
    tenants,
    users,
    workers,
)
from tenants.console.site import console

__all__ = ["console"]
