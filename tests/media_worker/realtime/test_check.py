"""The check of an account says in plain words what came back."""

from __future__ import annotations

from typing import Any

import pytest

from media_worker.contract import AccountChecked, AccountCheckPlan, AudioFormat, ProblemKind
from media_worker.realtime.check import SENTENCES, check_account
from media_worker.realtime.connection import Deadlines
from tests.media_worker.realtime import plans
from tests.media_worker.realtime.stub import Line, Stub


async def checked(
    stub: Stub, deadlines: Deadlines = plans.PATIENT, **changes: Any
) -> AccountChecked:
    plan = AccountCheckPlan(
        check_id="check_1",
        provider=plans.provider(stub.url),
        settings=plans.settings(**changes),
    )
    result = await check_account(plan, deadlines=deadlines)
    assert result.check_id == "check_1"
    assert plans.KEY not in result.message
    return result


async def test_a_good_account() -> None:
    async def script(line: Line) -> None:
        update = await line.greet()
        assert update["session"]["tools"] == []
        await line.closed()

    async with Stub(script) as stub:
        result = await checked(stub)
    assert result.ok
    assert result.kind is None
    assert result.session_id == "sess_1"
    assert result.message == "A session with served-model opened."


async def test_a_good_account_that_speaks_another_format() -> None:
    async def script(line: Line) -> None:
        pcm = {"format": {"type": "audio/pcm", "rate": 24000}}
        await line.greet(audio={"input": pcm, "output": pcm})
        await line.closed()

    async with Stub(script) as stub:
        result = await checked(stub, audio_format=AudioFormat.PCMA)
    assert result.ok
    assert "pcm24k instead of pcma" in result.message


async def test_a_refused_key() -> None:
    async with Stub(lambda line: line.closed(), refusal=(401, {}, b"")) as stub:
        result = await checked(stub)
    assert (result.ok, result.kind) == (False, ProblemKind.KEY_REFUSED)
    assert result.message.startswith("The provider refused the key.")


async def test_an_echoed_key_is_taken_out() -> None:
    async def script(line: Line) -> None:
        await line.expect("session.update")
        await line.error("invalid_api_key", f"Incorrect API key provided: {plans.KEY}.")
        await line.closed()

    async with Stub(script) as stub:
        result = await checked(stub)
    assert result.message == ("The provider refused the key. Incorrect API key provided: ***.")


async def test_no_answer_at_all() -> None:
    async with Stub(lambda line: line.closed()) as stub:
        result = await checked(stub, plans.NO_ECHO)
    assert (result.ok, result.kind) == (False, ProblemKind.SILENT)


@pytest.mark.parametrize("kind", list(ProblemKind))
def test_every_kind_of_problem_has_its_sentence(kind: ProblemKind) -> None:
    assert SENTENCES[kind].endswith(".")
