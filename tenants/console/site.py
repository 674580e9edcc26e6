from __future__ import annotations

from django.contrib.admin import AdminSite


class ConsoleSite(AdminSite):
    pass


console = ConsoleSite(name="admin")
