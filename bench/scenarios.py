"""What is measured, in which order. Each scenario prints a line as soon as it knows something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from bench.house import House, known
from bench.load import Rig, Row
from bench.targets import Floor, Product, Target

CONTINUOUS: Final[dict[str, Any]] = {
    "audio_format": "pcmu",
    "chunk_ms": 100,
    # The callers never stop talking: nothing of the agent's speech would be left otherwise.
    "interrupt": False,
}
"""The worst case that the steps are measured in: audio both ways all the time."""

Say = Callable[[str], None]


class Bench:
    """The rig with the product beside it."""

    def __init__(self, rig: Rig, house: House, say: Say) -> None:
        self.rig = rig
        self.house = house
        self.say = say

    def product(self, name: str, calls: int, **settings: Any) -> Product:
        wanted = {**CONTINUOUS, **settings}
        return Product(self.house, self.rig.provider, name, calls, wanted)

    def floor(self, client: str = "websockets") -> Floor:
        return Floor(self.rig.provider, self.rig.cores, client)

    # --- load ------------------------------------------------------------------------------------

    def steps(self, calls: list[int], seconds: float, runs: int) -> list[Row]:
        """Floor and product in turn, so that both meet the same noise of the machine."""
        targets: list[Target] = [self.floor(), self.product("product", max(calls))]
        return [
            self._step(target, count, seconds)
            for count in calls
            for _ in range(runs)
            for target in targets
        ]

    def variants(self, calls: int, seconds: float, runs: int) -> list[Row]:
        """The product with one setting changed at a time."""
        targets: list[Target] = [self.floor()]
        for name, settings in VARIANTS.items():
            if known(settings):
                targets.append(self.product(name, calls, **settings))
            else:
                self.say(f"{name}: this product does not have it")
        return [self._step(target, calls, seconds) for _ in range(runs) for target in targets]

    def steady(self, calls: int, seconds: float) -> list[Row]:
        return [self._step(self.product("product", calls), calls, seconds)]

    def _step(self, target: Target, calls: int, seconds: float) -> Row:
        row = self.rig.step(target, calls, seconds)
        self.say(
            f"{row.target:12} {row.calls:4} calls  {row.cpu_a_call:6.3f} % a call"
            f"  up p95 {row.up_p95:5.0f}  down p95 {row.down_p95:5.0f}"
            f"  gap p90 {row.gap_p90:4.0f} ms  late {row.late:.3f} %"
            f"  {'; '.join(row.notes)}"
        )
        return row


VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "PCMU": {},
    "PCM 24 kHz": {"audio_format": "pcm24k"},
    "energy VAD": {"local_vad": "energy"},
    "WebRTC VAD": {"local_vad": "webrtc"},
    "neural VAD": {"local_vad": "neural"},
    "recording": {"record": True},
    "20 ms chunks": {"chunk_ms": 20},
    "40 ms chunks": {"chunk_ms": 40},
}


@contextmanager
def told(rig: Rig, orders: Any) -> Iterator[None]:
    """The provider under these orders, and as before afterwards."""
    from bench.provider import Orders

    rig.provider.obey(orders)
    try:
        yield
    finally:
        rig.provider.obey(Orders())
