"""The doors between console, portal and the records; who gets which page: tests/matrix."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from tenants.models import Member, Tenant, User


def test_all_records_are_for_superusers_alone(
    sam: User, olga: User, browse: Callable[[User], Client]
) -> None:
    assert browse(sam).get("/admin/", follow=True).status_code == 403
    assert browse(olga).get("/admin/").status_code == 200
    assert "/admin/" not in browse(sam).get("/console/").content.decode()
    assert 'href="/admin/"' in browse(olga).get("/console/").content.decode()


def test_both_doors_lead_to_each_other(
    acme: Tenant, sam: User, browse: Callable[[User], Client]
) -> None:
    assert browse(sam).get("/")["Location"] == "/console/"
    Member.all_tenants.create(tenant=acme, user=sam, role="viewer")
    assert 'href="/"' in browse(sam).get("/console/").content.decode()
    assert 'href="/console/"' in browse(sam).get("/t/acme/").content.decode()
