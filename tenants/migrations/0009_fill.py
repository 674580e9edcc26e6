"""What 0006 left empty: public ids, and which revision of an agent is published."""

import uuid

from django.db import migrations
from django.db.models import OuterRef, Subquery

BATCH = 2000


def fill(apps, schema_editor):
    for name in ("User", "Member", "AuditEntry"):
        _fill_public_ids(apps.get_model("tenants", name))
    _fill_published(apps)


def _fill_public_ids(model):
    while rows := list(model.objects.filter(public_id=None).order_by("pk").only("pk")[:BATCH]):
        for row in rows:
            row.public_id = uuid.uuid4()
        model.objects.bulk_update(rows, ["public_id"], batch_size=500)


def _fill_published(apps):
    newest = (
        apps.get_model("tenants", "AgentRevision")
        .objects.filter(agent=OuterRef("pk"))
        .order_by("-number")
        .values("pk")[:1]
    )
    apps.get_model("tenants", "Agent").objects.filter(published_revision=None).update(
        published_revision=Subquery(newest)
    )


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0008_catalogue'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=False),
    ]
