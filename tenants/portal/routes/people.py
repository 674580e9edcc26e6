"""Members of the tenant, its invitations and tokens, who did what, support."""

from __future__ import annotations

from django.urls import URLPattern, path

from tenants.portal import audit, data, identity, invitation, members, support, tokens

patterns: list[URLPattern] = [
    path("settings/members/", members.members, name="members"),
    path("settings/members/invite/", members.member_invite, name="member_invite"),
    path("settings/members/<uuid:member_id>/role/", members.member_role, name="member_role"),
    path("settings/members/<uuid:member_id>/remove/", members.member_remove, name="member_remove"),
    path(
        "settings/invitations/<uuid:invitation_id>/again/",
        members.invitation_again,
        name="invitation_again",
    ),
    path(
        "settings/invitations/<uuid:invitation_id>/revoke/",
        members.invitation_revoke,
        name="invitation_revoke",
    ),
    path("settings/tokens/", tokens.tokens, name="tokens"),
    path("settings/tokens/new/", tokens.token_new, name="token_new"),
    path("settings/tokens/<uuid:token_id>/revoke/", tokens.token_revoke, name="token_revoke"),
    path("settings/sign-in/", identity.identity, name="identity"),
    path("settings/sign-in/new/", identity.identity_new, name="identity_new"),
    path("settings/sign-in/<uuid:provider_id>/", identity.identity_edit, name="identity_edit"),
    path(
        "settings/sign-in/<uuid:provider_id>/delete/",
        identity.identity_delete,
        name="identity_delete",
    ),
    path("settings/audit/", audit.audit, name="audit"),
    path("settings/data/", data.data, name="data"),
    path("settings/data/export/", data.export_ask, name="export_ask"),
    path("settings/data/exports/<uuid:export_id>/", data.export_file, name="export_file"),
    path(
        "settings/data/exports/<uuid:export_id>/delete/", data.export_delete, name="export_delete"
    ),
    path("settings/data/close/", data.close, name="close"),
    path("settings/data/close/take-back/", data.close_take_back, name="close_take_back"),
    path("settings/support/", support.support, name="support"),
    path("settings/support/<uuid:grant_id>/revoke/", support.support_revoke, name="support_revoke"),
]
outside: list[URLPattern] = [
    path("sign-in/<slug:slug>/", identity.sign_in, name="sign_in"),
    path("invitations/<str:token>/", invitation.invitation, name="invitation"),
]
"""Of a tenant, but open to people who are not in yet."""
