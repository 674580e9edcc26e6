"""Fixtures of the conversation's tests."""

from __future__ import annotations

import pytest

from media_worker.audio.neural import NeuralVad
from media_worker.contract import CallPlan
from tests.media_worker.conversation.stage import Stage


@pytest.fixture
async def make_stage(monkeypatch):
    stages: list[Stage] = []

    def make(
        plan: CallPlan | None = None, neural: NeuralVad | None = None, **prompts: bytes
    ) -> Stage:
        stages.append(Stage(monkeypatch, plan, neural, prompts))
        return stages[-1]

    yield make
    for stage in stages:
        await stage.close()


@pytest.fixture
async def stage(make_stage) -> Stage:
    return make_stage()
