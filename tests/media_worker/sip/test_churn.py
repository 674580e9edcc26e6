"""Many short calls: nothing is left behind and nothing breaks."""

import asyncio
import gc

from media_worker.audio.playout import Playout
from media_worker.conversation.leg import LegEnded
from media_worker.sip.call import PORT_LINGER_SECONDS, PjCall
from media_worker.sip.port import AudioPort
from tests.media_worker.audio.signals import tone
from tests.support.ports import free_port


def alive(*kinds: type) -> int:
    gc.collect()
    # isinstance would ask the lazy objects that other tests have left, and wake them.
    return sum(issubclass(type(each), kinds) for each in gc.get_objects())


async def test_a_hundred_calls_leave_nothing_behind(desk, tmp_path):
    calls, sound = 100, tone(700, 400)

    async def serve(incoming) -> LegEnded:
        await incoming.leg.answer()
        incoming.leg.playout.append("item", sound)
        async for event in incoming.leg.events():
            last = event
        return last

    sipp = await asyncio.create_subprocess_exec(
        "sipp", "-sn", "uac", "-s", "100", "-i", "127.0.0.1", "-p", str(free_port()),
        "-m", str(calls), "-l", "4", "-r", "40", "-d", "50", "-timeout", "60", "-nostdin",
        f"127.0.0.1:{desk.endpoint.ports['udp']}",
        cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    finished = asyncio.create_task(sipp.communicate())
    served = []
    for _ in range(calls):
        incoming = await asyncio.wait_for(desk.calls.get(), 60)
        served.append(asyncio.create_task(serve(incoming)))
        del incoming
    ends = await asyncio.gather(*served)
    output, _ = await asyncio.wait_for(finished, 60)
    assert sipp.returncode == 0, output.decode()[-2000:]
    assert {(end.by_caller, end.sip_status) for end in ends} == {(True, 200)}
    del served
    retired = asyncio.get_running_loop().create_future()
    engine = desk.endpoint._engine
    await engine.run(
        lambda: engine.later(
            PORT_LINGER_SECONDS + 0.1, lambda: engine.to_loop(retired.set_result, None)
        )
    )
    await retired
    assert alive(PjCall, AudioPort, Playout) == 0
