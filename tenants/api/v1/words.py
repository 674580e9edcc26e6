"""Words that a field may hold; the values are those of tenants/models/choices.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tenants.models import choices

if TYPE_CHECKING:
    # A type checker cannot look into a Literal that is made when the program runs.
    AuthWord = str
    CallKindWord = str
    CallStateWord = str
    CheckWord = str
    CommandStateWord = str
    ExportWord = str
    IdentityWord = str
    ListenWord = str
    NoteWord = str
    RoleWord = str
    SupportWord = str
else:
    AuthWord = Literal[tuple(choices.Auth.values)]
    CallKindWord = Literal[tuple(choices.CallKind.values)]
    CallStateWord = Literal[tuple(choices.CallState.values)]
    CheckWord = Literal[tuple(choices.CheckState.values)]
    CommandStateWord = Literal[tuple(choices.CommandState.values)]
    ExportWord = Literal[tuple(choices.ExportState.values)]
    IdentityWord = Literal[tuple(choices.IdentityKind.values)]
    ListenWord = Literal[tuple(choices.ListenIn.values)]
    NoteWord = Literal[tuple(choices.NoteKind.values)]
    RoleWord = Literal[tuple(choices.Role.values)]
    SupportWord = Literal[tuple(choices.SupportRole.values)]
