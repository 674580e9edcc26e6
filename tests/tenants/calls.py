"""Helpers of the tests about calls: requests, records, outboxes."""

from __future__ import annotations

import itertools
import time
import uuid
from typing import Any

from media_worker import contract
from tenants.models import Call, Worker
from tenants.services import admission, intake


def invite(called: str = "100", **fields: Any) -> contract.AdmissionRequest:
    return contract.AdmissionRequest(
        **{
            "call_key": str(uuid.uuid4()),
            "called": called,
            "calling": "+4930555",
            "sip_call_id": "abc@127.0.0.1",
            **fields,
        }
    )


def admitted(worker: Worker) -> Call:
    """A ringing call of the worker."""
    plan = admission.admit(worker=worker, request=invite())
    assert isinstance(plan, contract.CallPlan), plan
    return Call.all_tenants.get(public_id=plan.call_id)


class Outbox:
    """A worker's outbox: numbers its records and hands them over, as often as one likes."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.stream = str(uuid.uuid4())
        self.numbers = itertools.count(1)

    def record(
        self, event: contract.Event, call: Call | None = None, at: float | None = None
    ) -> bytes:
        return contract.encode(
            contract.Record(
                seq=next(self.numbers),
                at=at if at is not None else time.time(),
                call_id=str(call.public_id) if call else "",
                event=event,
            )
        )

    def store(self, *records: bytes, **options: Any) -> intake.Stored:
        return intake.store(worker=self.worker, stream=self.stream, records=records, **options)

    def send(
        self, event: contract.Event, call: Call | None = None, at: float | None = None
    ) -> intake.Stored:
        return self.store(self.record(event, call, at))


def said(item_id: str, text: str, position: int = 1, **fields: Any) -> contract.TranscriptUpdated:
    return contract.TranscriptUpdated(
        **{
            "item_id": item_id,
            "position": position,
            "speaker": contract.Speaker.AGENT,
            "text": text,
            **fields,
        }
    )
