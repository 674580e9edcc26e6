from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.account import ProviderAccount
from tenants.models.choices import PromptState
from tenants.models.tenant import Tenant


def prompt_path(prompt: Prompt, _name: str) -> str:
    """Where the storage keeps the file; a new rendering is a new file."""
    return f"prompts/{prompt.tenant.public_id}/{prompt.digest}.wav"


class Prompt(models.Model):
    """A text that is said on calls, rendered once as speech: 16-bit mono WAV."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="prompts", verbose_name=_("customer")
    )
    account = models.ForeignKey(
        ProviderAccount,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("provider account"),
    )
    voice = models.CharField(_("voice"), max_length=100)
    speed = models.FloatField(_("speed"), default=1.0)
    language = models.CharField(_("language"), max_length=35)
    text = models.TextField(_("text"))
    text_digest = models.CharField(max_length=64, editable=False)
    """SHA-256 of the text, in hexadecimal: texts are too long for a unique index."""
    state = models.CharField(
        _("state"), max_length=16, choices=PromptState.choices, default=PromptState.WAITING
    )
    error = models.TextField(_("why it is not available"), blank=True)
    file = models.FileField(_("file"), upload_to=prompt_path, max_length=255, blank=True)
    digest = models.CharField(max_length=64, blank=True, db_index=True)
    """SHA-256 of the file, in hexadecimal; empty until there is one."""
    duration_ms = models.PositiveIntegerField(_("duration"), default=0)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    tried_at = models.DateTimeField(_("last tried"), null=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    rendered_at = models.DateTimeField(_("rendered"), null=True)
    used_at = models.DateTimeField(_("last used"), null=True)

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("prompt")
        verbose_name_plural = _("prompts")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "account", "voice", "speed", "language", "text_digest"],
                name="prompt_rendered_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=PromptState.values), name="prompt_state_known"
            ),
            models.CheckConstraint(
                condition=~Q(state=PromptState.READY) | ~Q(digest=""), name="prompt_ready_has_file"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.language}: {self.text[:60]}"
