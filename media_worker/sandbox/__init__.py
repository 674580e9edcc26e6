"""A realtime provider that runs here: for trying pbxai without a key, for tests, for load.

Speaks the GA and the beta dialect as the real one does (docs: REALTIME.md), hears and speaks for
real, and answers by simple rules. `python -m media_worker.sandbox`, or `SandboxServer` in process.
"""

from media_worker.sandbox.server import SandboxServer

__all__ = ["SandboxServer"]
