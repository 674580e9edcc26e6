"""A realtime provider that runs here: for trying pbxai without a key, for tests, for load.

It speaks the GA and the beta dialect of the OpenAI Realtime API, as strict as the real one, hears
and speaks for real, and answers by simple rules; beside it there is OpenAI's speech API
(`speech_api`). `python -m media_worker.sandbox` runs it, `SandboxServer` runs it in process;
`server` says where it listens, `misbehaviour` what it can be told to do wrong.

What it cannot do, or does not:

- It understands English. In a session whose transcription language is another one, plain English
  requests are still understood; of all else the transcription is reported as failed
  (`language_not_supported`), and the agent says in that language that it understands English only.
- It speaks English with one voice whatever `voice` says; `Say exactly this ...` is spoken in any
  language of espeak-ng, other answers are English.
- `noise_reduction`, `temperature`, `reasoning`, `truncation`, `tracing` and `prompt` are checked
  and echoed, without an effect. Of the tools it knows functions, not MCP; of the sessions
  `realtime`, not `transcription`. Beta `pcm16` is 24 kHz, as OpenAI's was.
- Semantic VAD is a silence whose length depends on the eagerness. The idle time-out runs on the
  audio clock: without audio nothing times out.
"""

from media_worker.sandbox.server import SandboxServer

__all__ = ["SandboxServer"]
