from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models import choices
from tenants.models.account import ProviderAccount
from tenants.models.agent import Agent
from tenants.models.number import Number
from tenants.models.revision import AgentRevision
from tenants.models.tag import Tag
from tenants.models.tenant import Tenant
from tenants.models.worker import Worker

OPEN_STATES = (choices.CallState.RINGING, choices.CallState.RUNNING)
OPEN = Q(state__in=OPEN_STATES)
UNSETTLED = Q(state=choices.CallState.ENDED, settled_at=None)
"""Calls that are over and not yet counted; few at any time."""


class Call(models.Model):
    """A call that came in or was begun from a browser, from its admission to its end or refusal."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    """The worker's `call_key`."""
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.CASCADE,
        null=True,
        related_name="calls",
        verbose_name=_("customer"),
    )
    """None only for a refused call to a number that nobody has."""
    number = models.ForeignKey(
        Number, on_delete=models.SET_NULL, null=True, related_name="calls", verbose_name=_("number")
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.RESTRICT, null=True, related_name="calls", verbose_name=_("agent")
    )
    revision = models.ForeignKey(
        AgentRevision,
        on_delete=models.RESTRICT,
        null=True,
        related_name="calls",
        verbose_name=_("revision"),
    )
    worker = models.ForeignKey(
        Worker,
        on_delete=models.SET_NULL,
        null=True,
        related_name="calls",
        verbose_name=_("media worker"),
    )
    kind = models.CharField(
        _("kind"),
        max_length=8,
        choices=choices.CallKind.choices,
        default=choices.CallKind.PHONE,
    )
    draft_version = models.PositiveIntegerField(_("draft"), null=True)
    """The draft's version when a draft was tried; else the call has a revision."""
    placed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("begun by"),
    )
    called = models.CharField(_("to"), max_length=255)
    calling = models.CharField(_("from"), max_length=255, blank=True)
    calling_name = models.CharField(_("caller's name"), max_length=255, blank=True)
    sip_call_id = models.CharField(_("SIP Call-ID"), max_length=255, blank=True, db_index=True)
    source = models.CharField(_("source"), max_length=100, blank=True)
    language = models.CharField(_("language"), max_length=35, blank=True)
    state = models.CharField(_("state"), max_length=16, choices=choices.CallState.choices)
    refusal_reason = models.CharField(
        _("why refused"), max_length=32, blank=True, choices=choices.RefusalReason.choices
    )
    started_at = models.DateTimeField(_("began"))
    answered_at = models.DateTimeField(_("answered"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    end_cause = models.CharField(
        _("why it ended"), max_length=32, blank=True, choices=choices.EndCause.choices
    )
    end_detail = models.TextField(_("detail"), blank=True)
    sip_status = models.PositiveIntegerField(_("SIP status"), default=0)
    last_event_at = models.DateTimeField(_("last heard of"), null=True)
    duration_ms = models.PositiveBigIntegerField(_("duration"), default=0)
    codec = models.CharField(_("codec"), max_length=32, blank=True)
    account = models.ForeignKey(
        ProviderAccount,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("provider account"),
    )
    account_name = models.CharField(_("provider"), max_length=100, blank=True)
    model = models.CharField(_("model"), max_length=100, blank=True)
    session_id = models.CharField(_("provider's session"), max_length=255, blank=True)
    input_format = models.CharField(
        _("audio to the provider"), max_length=16, blank=True, choices=choices.AudioFormat.choices
    )
    output_format = models.CharField(
        _("audio from the provider"), max_length=16, blank=True, choices=choices.AudioFormat.choices
    )
    session_took_ms = models.PositiveIntegerField(_("session opened in"), null=True)
    usage = models.JSONField(_("usage"), default=dict)
    settings_used = models.JSONField(_("settings"), default=dict)
    wait_p50_ms = models.PositiveIntegerField(_("median wait"), null=True)
    """From the caller's last word to the agent's first, over the turns; set when settled."""
    cost = models.DecimalField(_("cost"), max_digits=14, decimal_places=8, null=True)
    """None: not known, or not settled yet."""
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    settled_at = models.DateTimeField(null=True)
    """When it was counted: cost, waits, search, day."""
    keep_until = models.DateTimeField(_("keep until"), null=True)
    """Not deleted before, however short the tenant keeps its calls."""
    tags = models.ManyToManyField(Tag, related_name="calls", blank=True, verbose_name=_("tags"))
    version = models.PositiveIntegerField(default=1)

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("call")
        verbose_name_plural = _("calls")
        ordering = ["-started_at", "-pk"]
        indexes = [
            models.Index(fields=["tenant", "-started_at", "-id"], name="call_tenant_newest"),
            models.Index(
                fields=["tenant", "agent", "-started_at", "-id"], name="call_agent_newest"
            ),
            models.Index(
                fields=["tenant", "number", "-started_at", "-id"], name="call_number_newest"
            ),
            # Looked for by their beginnings; names have one in search_index.
            models.Index(
                fields=["tenant", "calling"],
                opclasses=["int8_ops", "varchar_pattern_ops"],
                name="call_caller",
            ),
            models.Index(fields=["-started_at", "-id"], name="call_newest"),
            models.Index(fields=["ended_at"], name="call_unsettled", condition=UNSETTLED),
            models.Index(fields=["tenant", "state"], name="call_tenant_open", condition=OPEN),
            models.Index(fields=["worker", "state"], name="call_worker_open", condition=OPEN),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(tenant__isnull=False) | Q(state=choices.CallState.REFUSED),
                name="call_has_tenant_unless_refused",
            ),
            models.CheckConstraint(
                condition=Q(state__in=choices.CallState.values), name="call_state_known"
            ),
            models.CheckConstraint(
                condition=(Q(state=choices.CallState.REFUSED) & ~Q(refusal_reason=""))
                | (~Q(state=choices.CallState.REFUSED) & Q(refusal_reason="")),
                name="call_refused_for_a_reason",
            ),
            models.CheckConstraint(
                condition=(OPEN & Q(ended_at=None, end_cause=""))
                | (~OPEN & Q(ended_at__isnull=False)),
                name="call_open_until_it_ends",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=choices.CallKind.values), name="call_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(draft_version=None) | Q(revision=None), name="call_draft_or_revision"
            ),
            models.CheckConstraint(
                condition=Q(cost=None) | ~Q(currency=""), name="call_cost_has_currency"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.calling or '?'} → {self.called}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES
