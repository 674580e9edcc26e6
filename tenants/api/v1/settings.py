"""What a tenant sets for all its agents."""

from __future__ import annotations

from ninja import Router

from tenants.api.v1.door import ApiRequest
from tenants.api.v1.routes import route
from tenants.api.v1.settings_document import (
    Effective,
    SettingsDocument,
    SettingsInput,
    effective_document,
    settings_document,
    take_settings,
)
from tenants.services.effective import effective_settings, tenant_settings
from tenants.services.tenant_settings import save_tenant_settings

router = Router(tags=["settings"])


@route(router, "GET", "/settings", scope="settings:read", response=SettingsDocument)
def get_settings(request: ApiRequest) -> SettingsDocument:
    """The defaults of all agents; null: the operator's hold."""
    return settings_document(tenant_settings(request.auth.tenant))


@route(router, "PATCH", "/settings", scope="settings:write", response=SettingsDocument)
def change_settings(request: ApiRequest, document: SettingsInput) -> SettingsDocument:
    """Change defaults; new calls have them at once. Those that are left out stay."""
    row = tenant_settings(request.auth.tenant)
    take_settings(row, document, request.auth.tenant)
    return settings_document(save_tenant_settings(row=row, user=request.auth.user))


@route(router, "GET", "/settings/effective", scope="settings:read", response=Effective)
def get_effective_defaults(request: ApiRequest) -> Effective:
    """What holds for an agent that sets nothing itself."""
    return effective_document(effective_settings(tenant=request.auth.tenant))
