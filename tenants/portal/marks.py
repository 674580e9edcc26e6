"""Tags and notes of a call as its page shows them; see templates/components/call_marks.html."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tenants.access import may
from tenants.models import Call, CallNote, Tag
from tenants.portal.access import TenantRequest
from tenants.portal.frame import page_url

MOST_OFFERED: Final = 200


@dataclass(frozen=True, kw_only=True)
class NoteView:
    public_id: str
    text: str
    who: str
    at: datetime
    may_delete: bool


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Tags and notes of a call, and what may be done with them; `offered`: tags of other calls."""

    tags: list[str]
    notes: list[NoteView]
    offered: list[str]
    may_edit: bool
    tags_url: str
    notes_url: str
    problem: str = ""
    typed: str = ""


def marks(request: TenantRequest, call: Call, problem: str = "", typed: str = "") -> Marks:
    may_edit = may(request.member, "edit")
    may_manage = may(request.member, "manage")
    tags = list(call.tags.values_list("name", flat=True))
    return Marks(
        tags=tags,
        notes=[
            NoteView(
                public_id=str(note.public_id),
                text=note.text,
                who=note.user.get_full_name() if note.user else "",
                at=note.at,
                may_delete=may_edit and (may_manage or note.user == request.user),
            )
            for note in CallNote.objects.filter(call=call).select_related("user")
        ],
        offered=_offered(tags) if may_edit else [],
        may_edit=may_edit,
        tags_url=page_url("call_tags", request, call_id=call.public_id),
        notes_url=page_url("call_notes", request, call_id=call.public_id),
        problem=problem,
        typed=typed,
    )


def _offered(tags: list[str]) -> list[str]:
    return list(Tag.objects.exclude(name__in=tags).values_list("name", flat=True)[:MOST_OFFERED])
