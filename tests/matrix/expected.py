"""Who may what, everywhere: the tables that the tests of this folder walk.

The rows of portal and console are in tests/{portal,console}/tables, one file a room. A new
address, operation, socket or job without a row fails.
"""

from __future__ import annotations

from typing import Final

from media_worker.contract import LINK_PATH
from tests.portal.tables.page import ADMIN, EDITOR, OWNER, VIEWER

# --- outside of a tenant -------------------------------------------------------------------------

OUTSIDE: Final[dict[str, tuple[int, int]]] = {
    # What a GET without anything gets: somebody who is not signed in, and somebody who is.
    "healthz": (200, 200),
    "readyz": (200, 200),
    "account_login": (200, 302),
    "account_logout": (302, 200),
    "account_inactive": (200, 200),
    "account_reauthenticate": (302, 200),
    "account_change_password": (302, 200),
    "portal:home": (302, 302),
    "portal:language": (405, 405),
    "portal:preferences": (405, 405),
    "portal:invitation": (404, 404),  # of a link that is none
    "api-v1:openapi": (200, 200),
    "api-v1:docs": (200, 200),
}

WHEN_OFF: Final = frozenset({"support_revoke", "list_support_grants", "revoke_support"})
"""What more than reading its owner may do in a tenant that is switched off."""

ACCOUNT: Final = frozenset(
    # A person's own sign-in: allauth's pages. Nobody sees any of them without a session of theirs,
    # or a step of a sign-in that has begun.
    {
        "mfa_index",
        "mfa_authenticate",
        "mfa_reauthenticate",
        "mfa_view_recovery_codes",
        "mfa_generate_recovery_codes",
        "mfa_download_recovery_codes",
        "mfa_activate_totp",
        "mfa_deactivate_totp",
        "mfa_list_webauthn",
        "mfa_add_webauthn",
        "mfa_reauthenticate_webauthn",
        "mfa_remove_webauthn",
        "mfa_edit_webauthn",
        "usersessions_list",
    }
)
OPEN_ACCOUNT: Final = frozenset(
    # For somebody who cannot sign in yet: they show nothing of anybody's.
    {
        "account_reset_password",
        "account_reset_password_done",
        "account_reset_password_from_key",
        "account_reset_password_from_key_done",
        "openid_connect_login",
        "openid_connect_callback",
        "saml_login",
        "saml_reply",
        "saml_finish",
        "saml_metadata",
        "mfa_login_webauthn",
        "portal:sign_in",
    }
)

WORKERS: Final[dict[str, str]] = {
    # Only with a media worker's token: nobody's session or API token will do.
    "worker-admit-call": "POST",
    "worker-pull-plan": "POST",
    "worker-pull-check": "POST",
    "worker-get-prompt": "GET",
    "worker-put-recording": "PUT",
}

# --- the REST API --------------------------------------------------------------------------------

OPERATIONS: Final[dict[str, tuple[str, str]]] = {
    # The scope that a token needs, and the least role of the person, by session or behind a token.
    "get_me": ("", VIEWER),
    "list_agents": ("agents:read", VIEWER),
    "create_agent": ("agents:write", EDITOR),
    "get_agent": ("agents:read", VIEWER),
    "change_agent": ("agents:write", EDITOR),
    "get_effective_settings": ("agents:read", VIEWER),
    "list_revisions": ("agents:read", VIEWER),
    "get_revision": ("agents:read", VIEWER),
    "publish_agent": ("agents:write", EDITOR),
    "roll_back_agent": ("agents:write", EDITOR),
    "list_differences": ("agents:read", VIEWER),
    "preview_prompt": ("agents:write", EDITOR),
    "take_revision": ("agents:write", EDITOR),
    "get_first_words": ("agents:read", VIEWER),
    "order_first_words": ("agents:write", EDITOR),
    "get_prompt_sound": ("agents:read", VIEWER),
    "list_models": ("agents:read", VIEWER),
    "list_numbers": ("numbers:read", VIEWER),
    "create_number": ("numbers:write", EDITOR),
    "get_number": ("numbers:read", VIEWER),
    "change_number": ("numbers:write", EDITOR),
    "delete_number": ("numbers:write", EDITOR),
    "list_calls": ("calls:read", VIEWER),
    "export_calls": ("calls:read", EDITOR),
    "get_call": ("calls:read", VIEWER),
    "get_transcript": ("calls:read", VIEWER),
    "list_call_events": ("calls:read", VIEWER),
    "say_in_call": ("live:act", EDITOR),
    "mute_agent": ("live:act", EDITOR),
    "transfer_call": ("live:act", EDITOR),
    "hang_up_call": ("live:act", EDITOR),
    "begin_chat": ("live:act", EDITOR),
    "write_in_chat": ("live:act", EDITOR),
    "get_recording": ("calls:read", VIEWER),
    "get_peaks": ("calls:read", VIEWER),
    "delete_recording": ("calls:write", ADMIN),
    "get_usage": ("usage:read", VIEWER),
    "list_audit_entries": ("audit:read", ADMIN),
    "get_settings": ("settings:read", VIEWER),
    "change_settings": ("settings:write", ADMIN),
    "get_effective_defaults": ("settings:read", VIEWER),
    "list_accounts": ("accounts:read", VIEWER),
    "create_account": ("accounts:write", ADMIN),
    "get_account": ("accounts:read", VIEWER),
    "change_account": ("accounts:write", ADMIN),
    "delete_account": ("accounts:write", ADMIN),
    "check_account": ("accounts:write", ADMIN),
    "list_tokens": ("settings:read", ADMIN),
    "create_token": ("settings:write", ADMIN),
    "revoke_token": ("settings:write", ADMIN),
    "list_members": ("members:read", VIEWER),
    "change_member": ("members:write", OWNER),
    "remove_member": ("members:write", OWNER),
    "list_invitations": ("members:read", VIEWER),
    "invite_member": ("members:write", OWNER),
    "send_invitation_again": ("members:write", OWNER),
    "withdraw_invitation": ("members:write", OWNER),
    "get_next_key": ("accounts:read", VIEWER),
    "give_next_key": ("accounts:write", ADMIN),
    "check_next_key": ("accounts:write", ADMIN),
    "use_next_key": ("accounts:write", ADMIN),
    "drop_next_key": ("accounts:write", ADMIN),
    "get_company": ("settings:read", VIEWER),
    "change_company": ("settings:write", ADMIN),
    "close_company": ("settings:write", OWNER),
    "keep_company": ("settings:write", OWNER),
    "list_support_grants": ("settings:read", OWNER),
    "grant_support": ("settings:write", OWNER),
    "revoke_support": ("settings:write", OWNER),
    "list_identity_providers": ("settings:read", OWNER),
    "create_identity_provider": ("settings:write", OWNER),
    "get_identity_provider": ("settings:read", OWNER),
    "change_identity_provider": ("settings:write", OWNER),
    "delete_identity_provider": ("settings:write", OWNER),
    "list_exports": ("settings:read", OWNER),
    "ask_for_export": ("settings:write", OWNER),
    "get_export": ("settings:read", OWNER),
    "get_export_file": ("settings:write", OWNER),
    "delete_export": ("settings:write", OWNER),
    "list_call_notes": ("calls:read", VIEWER),
    "add_call_note": ("calls:write", EDITOR),
    "delete_call_note": ("calls:write", EDITOR),
    "tag_call": ("calls:write", EDITOR),
    "untag_call": ("calls:write", EDITOR),
    "delete_call": ("calls:write", ADMIN),
}

# --- sockets and jobs ----------------------------------------------------------------------------

STAFF: Final = "staff"
WORKER: Final = "worker"
SOCKETS: Final[dict[str, str]] = {
    # The least role that is let in; STAFF: the operator's people only; WORKER: no person at all.
    LINK_PATH.lstrip("/"): WORKER,
    "ws/v1/stream": VIEWER,
    "ws/console/workers": STAFF,
    "ws/t/<slug:slug>/calls": VIEWER,
    "ws/t/<slug:slug>/calls/<uuid:call_id>": VIEWER,
    "ws/t/<slug:slug>/calls/<uuid:call_id>/listen": ADMIN,
    "ws/t/<slug:slug>/agents/<uuid:agent_id>/talk": EDITOR,
}

STREAM: Final = ("stream", VIEWER)
"""The address of the server-sent events, which is a socket in all but its name."""

TASKS: Final[dict[str, tuple[str, ...]]] = {
    # Nobody starts a job by its name but beat, services, and the operator who tries a failed one
    # again. What it is told: nothing, or which rows.
    "watch.watch_workers": (),
    "prompts.prepare_prompts": (),
    "prompts.render_due_prompts": (),
    "prompts.render_prompt": ("pk",),
    "prompts.tidy_prompts": (),
    "money.settle_calls": (),
    "money.remake_days": (),
    "money.find_missed_days": (),
    "records.draw_waveforms": (),
    "records.draw_missed_waveforms": (),
    "records.apply_retention": (),
    "people.make_exports": (),
    "people.expire_exports": (),
    "people.close_tenants": (),
}
