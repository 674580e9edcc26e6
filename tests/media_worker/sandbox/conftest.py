"""A sandbox a test, one recogniser for all of them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import pytest

from media_worker.sandbox import SandboxServer
from media_worker.sandbox.recognition import Recogniser
from tests.media_worker.sandbox.client import Client, connected


class Connect(Protocol):
    def __call__(
        self, *, beta: bool = False, misbehave: str = "", check: bool = True
    ) -> AbstractAsyncContextManager[Client]: ...


@pytest.fixture(scope="session")
def recogniser() -> Iterator[Recogniser]:
    shared = Recogniser()
    yield shared
    shared.close()


@pytest.fixture
async def server(recogniser: Recogniser) -> AsyncIterator[SandboxServer]:
    async with SandboxServer(pace=100, recogniser=recogniser) as running:
        yield running


@pytest.fixture
def connect(server: SandboxServer) -> Connect:
    def make(
        *, beta: bool = False, misbehave: str = "", check: bool = True
    ) -> AbstractAsyncContextManager[Client]:
        return connected(server, beta=beta, misbehave=misbehave, check=check)

    return make
