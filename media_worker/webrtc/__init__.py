"""Calls from browsers: the only room that knows aiortc.

It has a thread with a plain asyncio loop of its own: aiortc was reported to lose its transports on
uvloop (aiortc#429), and what it costs, some 70 ms of CPU a second and call, must not sit in the
tick of the telephone calls.
"""
