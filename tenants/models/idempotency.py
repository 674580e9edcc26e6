from __future__ import annotations

from django.db import models

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.tenant import Tenant


class IdempotencyKey(models.Model):
    """A request of the REST API that creates something, and its answer, kept for a day.

    The same key with the same body gets the same answer again; with another body it is refused.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    actor = models.CharField(max_length=64)
    """`token:<public id>` or `user:<public id>`."""
    key = models.CharField(max_length=128)
    route = models.CharField(max_length=200)
    """Method and path."""
    body_digest = models.CharField(max_length=64)
    """SHA-256 of the body, in hexadecimal."""
    status = models.PositiveSmallIntegerField(null=True)
    """None: the first request has not been answered yet."""
    response = models.JSONField(null=True)
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "actor", "key"], name="idempotency_key_once_an_actor"
            )
        ]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"
