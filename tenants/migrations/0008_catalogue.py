"""The catalogue as it was read on 2026-11-22: OpenAI's model pages and its deprecation list.

An operator changes it afterwards; this only gives a new installation something true to begin with.
"""

import datetime

from django.db import migrations

READ_ON = datetime.date(2026, 11, 22)
SOURCE = "OpenAI, model pages and deprecations, read on 2026-11-22"
EXAMPLE = "Example price: the sandbox costs nothing"
VOICES = [
    "marin", "cedar", "alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse",
]
FORMATS = ["pcmu", "pcma", "pcm24k"]
REALTIME_END = datetime.date(2027, 1, 20)
TRANSCRIPTION_END = datetime.date(2027, 2, 26)
PRICE_FIELDS = ("text_in", "text_cached", "text_out", "audio_in", "audio_cached", "audio_out")

# name: context, shutdown, replacement, prices a million tokens
REALTIME = {
    "gpt-realtime-2.1": (128_000, None, "", ("4", "0.40", "24", "32", "0.40", "64")),
    "gpt-realtime-2.1-mini": (128_000, None, "", ("0.60", "0.06", "2.40", "10", "0.30", "20")),
    "gpt-realtime-2": (128_000, None, "", ("4", "0.40", "24", "32", "0.40", "64")),
    "gpt-realtime-1.5": (32_000, None, "", ("4", "0.40", "16", "32", "0.40", "64")),
    "gpt-realtime": (None, REALTIME_END, "gpt-realtime-2.1", None),
    "gpt-realtime-2025-08-28": (None, REALTIME_END, "gpt-realtime-2.1", None),
    "gpt-realtime-mini": (None, REALTIME_END, "gpt-realtime-2.1-mini", None),
    "gpt-realtime-mini-2025-12-15": (None, REALTIME_END, "gpt-realtime-2.1-mini", None),
}
# name: context, shutdown, replacement, price a minute
TRANSCRIPTION = {
    "gpt-transcribe": (None, None, "", None),
    "gpt-live-transcribe": (None, None, "", "0.017"),
    "gpt-realtime-whisper": (16_000, None, "", "0.017"),
    "whisper-1": (None, TRANSCRIPTION_END, "gpt-transcribe", None),
    "gpt-4o-transcribe": (None, TRANSCRIPTION_END, "gpt-transcribe", None),
    "gpt-4o-mini-transcribe": (None, TRANSCRIPTION_END, "gpt-transcribe", None),
    "gpt-4o-transcribe-diarize": (None, TRANSCRIPTION_END, "gpt-transcribe", None),
}
SANDBOX = ("gpt-realtime-2.1", "gpt-realtime-2.1-mini", "gpt-transcribe")


def fill(apps, schema_editor):
    for name, (context, end, instead, prices) in REALTIME.items():
        model = _model(
            apps, name, "realtime", context, end, instead, formats=FORMATS, voices=VOICES
        )
        if prices:
            _price(apps, model, SOURCE, **dict(zip(PRICE_FIELDS, prices)))
    for name, (context, end, instead, a_minute) in TRANSCRIPTION.items():
        model = _model(apps, name, "transcription", context, end, instead)
        if a_minute:
            _price(apps, model, SOURCE, a_minute=a_minute)
    for name in SANDBOX:
        _sandbox(apps, name)


def _model(apps, name, kind, context, end, instead, **more):
    model, _ = apps.get_model("tenants", "ProviderModel").objects.get_or_create(
        provider="openai",
        name=name,
        defaults={
            "kind": kind,
            "dialects": ["openai"],
            "context_tokens": context,
            "shutdown_on": end,
            "replacement": instead,
            "is_offered": end is None,
            "note": SOURCE,
            **more,
        },
    )
    return model


def _sandbox(apps, name):
    is_realtime = name in REALTIME
    model, _ = apps.get_model("tenants", "ProviderModel").objects.get_or_create(
        provider="sandbox",
        name=name,
        defaults={
            "kind": "realtime" if is_realtime else "transcription",
            "dialects": ["openai", "openai-beta"],
            "formats": FORMATS if is_realtime else [],
            "voices": VOICES if is_realtime else [],
            "note": EXAMPLE,
        },
    )
    if is_realtime:
        _price(apps, model, EXAMPLE, **dict(zip(PRICE_FIELDS, REALTIME[name][3])))
    else:
        # The sandbox counts tokens where the provider may count the time.
        _price(apps, model, EXAMPLE, a_minute="0.017", text_in="2.50", text_out="10", audio_in="6")


def _price(apps, model, source, **amounts):
    apps.get_model("tenants", "Price").objects.get_or_create(
        model=model,
        valid_from=READ_ON,
        defaults={"currency": "USD", "source": source, **amounts},
    )


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0007_search'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=False),
    ]
