from __future__ import annotations

from django.db import models

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.call import Call
from tenants.models.tenant import Tenant


class SearchDocument(models.Model):
    """The words of a call as they are searched for: tokens of the transcript, folded.

    The databases' own indexes over `body` are made by tenants/search_index.py: on PostgreSQL the
    generated column `vector`, on SQLite the FTS5 table `tenants_search_fts`.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    call = models.OneToOneField(Call, on_delete=models.CASCADE, related_name="search_document")
    started_at = models.DateTimeField()
    """The call's, so that the newest hits come without a join."""
    body = models.TextField(blank=True)
    """At most 500,000 bytes: a tsvector ends at 1 MB."""

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        ordering = ["-started_at", "-pk"]
        indexes = [models.Index(fields=["tenant", "-started_at"], name="search_tenant_newest")]

    def __str__(self) -> str:
        return str(self.call)
