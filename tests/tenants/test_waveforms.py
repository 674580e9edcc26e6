"""Waveforms are drawn from the sound itself, once, and not of what is gone."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile

from tenants.models import Call, Recording, Tenant
from tenants.services import waveforms
from tests.support.sound import ogg, sha256

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def keep(tenant: Tenant, data: bytes, **fields: Any) -> Recording:
    call = Call.all_tenants.create(
        tenant=tenant, called="1", state="ended", started_at=NOW, ended_at=NOW
    )
    kept = Recording(tenant=tenant, call=call, sha256=sha256(data), size=len(data), **fields)
    kept.file.save("", ContentFile(data), save=False)
    kept.save()
    return kept


@pytest.mark.parametrize("seconds", [0.5, 2.0, 13.0])
def test_the_caller_speaks_and_the_agent_is_silent(seconds: float):
    peaks = waveforms.peaks_of(io.BytesIO(ogg(seconds)))
    assert len(peaks) == waveforms.SIZE
    caller = np.frombuffer(peaks[: waveforms.PARTS], np.uint8)
    agent = np.frombuffer(peaks[waveforms.PARTS :], np.uint8)
    # A tone of 0.3 of full scale; the first and last parts hold the codec's edges.
    assert 60 < np.median(caller) < 95
    assert agent.max() < 8


def test_new_recordings_are_drawn_once(acme: Tenant):
    kept = keep(acme, ogg())
    assert waveforms.draw_newest() == 1
    kept.refresh_from_db()
    assert len(bytes(kept.peaks)) == waveforms.SIZE
    assert waveforms.draw_newest() == 0


def test_what_cannot_be_read_is_not_tried_again(acme: Tenant):
    kept = keep(acme, b"OggS and nothing that is sound")
    waveforms.draw_newest()
    kept.refresh_from_db()
    assert bytes(kept.peaks) == waveforms.UNREADABLE
    assert waveforms.draw_newest() == 0


def test_old_ones_are_drawn_by_the_hourly_job_within_its_time(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(waveforms, "NEWEST", 1)
    data = ogg()
    old, new = keep(acme, data), keep(acme, data)
    assert waveforms.draw_newest() == 1
    old.refresh_from_db()
    assert bytes(old.peaks) == b""
    assert waveforms.draw_missed(seconds=-1) == 0
    assert waveforms.draw_missed() == 1
    old.refresh_from_db()
    new.refresh_from_db()
    assert bytes(old.peaks) == bytes(new.peaks) != b""


def test_of_a_recording_that_is_gone_nothing_is_drawn(acme: Tenant):
    keep(acme, ogg())
    Recording.all_tenants.update(file="", deleted_at=NOW)
    assert waveforms.draw_newest() == 0
    assert waveforms.draw_missed() == 0
