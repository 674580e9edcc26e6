from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0010_public_ids'),
    ]

    operations = [
        migrations.AddField(
            model_name='identityprovider',
            name='certificates',
            field=models.TextField(blank=True, default='', verbose_name='certificates'),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='entity_id',
            field=models.CharField(blank=True, default='', max_length=1024, verbose_name='entity ID'),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='sso_url',
            field=models.URLField(blank=True, default='', max_length=1000, verbose_name='sign-in address'),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name='identityprovider',
            name='issuer',
            field=models.URLField(blank=True, max_length=500, verbose_name='issuer'),
        ),
    ]
