from django.db import migrations

from tenants import search_index


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0006_console_and_portal'),
    ]

    operations = [
        migrations.RunPython(
            lambda apps, schema_editor: search_index.create(schema_editor),
            lambda apps, schema_editor: search_index.drop(schema_editor),
            elidable=False,
        ),
    ]
