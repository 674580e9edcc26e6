"""Every record as it is stored, for superusers: Django's admin, one module a noun."""

from tenants.admin import (  # noqa: F401 - each registers its pages
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
from tenants.admin.site import admin_site

__all__ = ["admin_site"]
