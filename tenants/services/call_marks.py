"""What people add to a call: tags to find it again, and notes."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from tenants.models import Call, CallNote, Tag, User
from tenants.services import audit

MOST_TAGS: Final = 20
"""Of one call."""
LONGEST_NOTE: Final = 4000


def add_tag(*, call: Call, name: str, user: User) -> Tag:
    """Put a tag on a call, a new one or one that there is. Raises ValidationError."""
    tenant = call.tenant
    if tenant is None:
        raise ValueError("Only a call that was taken can be tagged.")
    name = " ".join(name.split())
    with transaction.atomic():
        if call.tags.count() >= MOST_TAGS:
            raise ValidationError(
                _("A call can have %(count)d tags.") % {"count": MOST_TAGS}, code="too_many"
            )
        tag = Tag.objects.filter(name__iexact=name).first()
        if tag is None:
            tag = Tag(tenant=tenant, name=name)
            tag.full_clean()
            tag.save()
        call.tags.add(tag)
        audit.record("call.tag", call, tenant=tenant, user=user, tag=tag.name)
    return tag


def remove_tag(*, call: Call, name: str, user: User) -> None:
    """Take a tag off a call; one that no call has any more is gone."""
    with transaction.atomic():
        tag = call.tags.filter(name=name).first()
        if tag is None:
            return
        call.tags.remove(tag)
        audit.record("call.untag", call, tenant=call.tenant, user=user, tag=tag.name)
        if not Call.tags.through.objects.filter(tag=tag).exists():
            tag.delete()


def add_note(*, call: Call, text: str, user: User) -> CallNote:
    """Raises ValidationError."""
    if call.tenant is None:
        raise ValueError("Only a call that was taken has notes.")
    if len(text) > LONGEST_NOTE:
        raise ValidationError(
            _("A note can have %(count)d characters.") % {"count": LONGEST_NOTE}, code="too_long"
        )
    note = CallNote(tenant=call.tenant, call=call, user=user, text=text.strip())
    note.full_clean()
    with transaction.atomic():
        note.save()
        audit.record("call.note", call, tenant=call.tenant, user=user)
    return note


def delete_note(*, note: CallNote, user: User) -> None:
    with transaction.atomic():
        audit.record("call.unnote", note.call, tenant=note.tenant, user=user)
        note.delete()
