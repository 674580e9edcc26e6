"""Every message between the web side and a media worker.

The only module of `media_worker` that the web side imports; it knows neither Django nor pjsua2.
Everything is a frozen msgspec Struct, written as JSON. Unknown fields are ignored, so that either
side can be the newer one; a field is never renamed, a new one has a default.

HTTP (worker -> web, `Authorization: Bearer <worker token>`):

    POST /api/worker/v1/calls         AdmissionRequest -> 200 CallPlan | Refusal (tag `verdict`)
    POST /api/worker/v1/checks/{id}   (empty)          -> 200 AccountCheckPlan; 404 when over
    GET  /api/worker/v1/prompts/{digest}               -> 200 audio/wav (16 bit, mono); 404
    POST /api/worker/v1/calls/{id}/plan   (empty)      -> 200 CallPlan | Refusal; 404 not this
         worker's, or it does not ring: of a call from a browser, whose key comes this way only
    PUT  /api/worker/v1/recordings/{call_id}?duration_ms=&offset_ms=&sha256=   (audio/ogg)
         -> 201 stored; 200 stored before; 404 not this worker's call, or not to be recorded;
            409 another recording is stored; 413 too large

Errors are RFC 9457 problem documents: 400 malformed, 401 token refused, 503 the web side cannot.

WebSocket `/ws/worker/v1/link` (same bearer header), text frames of JSON, tag `frame`:

    worker -> web   Hello, Events, Heartbeat, CommandDone, BrowserCallAnswer, ListenAudio,
                    ListenEnded
    web -> worker   Welcome, Ack, CheckAccount, Rejected; of a call: HangUpCall, SayText, MuteAgent,
                    TransferCall, StartListening, StopListening, StartBrowserCall, PressKey,
                    StartChat, SendChatText; of the worker: DrainWorker

Hello names the commands that the worker knows (`commands`); it is sent no other, but HangUpCall and
CheckAccount, which every build knows. Each is answered by CommandDone.

The first frame up is Hello; Events carry the worker's outbox in order, `(stream, seq)` identifies
one for ever; the web side stores a batch in one transaction and acknowledges the highest seq it
stored. A malformed frame is answered by Rejected and counted; the link stays open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Any, Final

import msgspec

CONTRACT_VERSION: Final = 1
MAX_FRAME_BYTES: Final = 1024 * 1024
"""Neither side sends a link frame or an admission document longer than this."""
MAX_RECORDING_BYTES: Final = 256 * 1024 * 1024
"""About eighteen hours; the web side answers a longer one 413."""
HEARTBEAT_SECONDS: Final = 5.0
LIVENESS_SECONDS: Final = 30.0
"""A worker not heard of for this long is lost; its open calls end as `interrupted`."""

ADMISSION_PATH: Final = "/api/worker/v1/calls"
PLAN_PATH: Final = "/api/worker/v1/calls/{call_id}/plan"
CHECK_PATH: Final = "/api/worker/v1/checks/{check_id}"
PROMPT_PATH: Final = "/api/worker/v1/prompts/{digest}"
RECORDING_PATH: Final = "/api/worker/v1/recordings/{call_id}"
LINK_PATH: Final = "/ws/worker/v1/link"


USES_FALLBACK: Final = "plan.fallback"
"""Among `Hello.commands` of a worker that uses `CallPlan.fallback`: no other gets a second key."""


class Message(msgspec.Struct, frozen=True):
    """Base of every struct here."""


# --- words ---------------------------------------------------------------------------------------


class Dialect(StrEnum):
    """How a realtime provider is spoken to (REALTIME.md sections 1 and 2)."""

    OPENAI = "openai"
    """The GA shape of api.openai.com, Azure `/openai/v1`, and those that follow it."""
    OPENAI_BETA = "openai-beta"
    """The shape before May 2026: Azure preview, Qwen style, older self-hosted servers."""


class AudioFormat(StrEnum):
    """Audio towards and from a provider; 16-bit little-endian mono where it is PCM."""

    PCMU = "pcmu"
    PCMA = "pcma"
    PCM_24K = "pcm24k"
    PCM_16K = "pcm16k"
    """Beta dialect only (Qwen style); the GA shape knows PCM at 24 kHz alone."""


class VadMode(StrEnum):
    SERVER = "server_vad"
    SEMANTIC = "semantic_vad"
    LOCAL = "local"
    """The provider is told `null`; the worker's own VAD ends the turns."""


class LocalVad(StrEnum):
    OFF = "off"
    ENERGY = "energy"
    WEBRTC = "webrtc"
    NEURAL = "neural"


class Eagerness(StrEnum):
    AUTO = "auto"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class NoiseReduction(StrEnum):
    OFF = "off"
    NEAR_FIELD = "near_field"
    FAR_FIELD = "far_field"


class Speaker(StrEnum):
    CALLER = "caller"
    AGENT = "agent"


class RefusalReason(StrEnum):
    """Why a call was not taken."""

    UNKNOWN_NUMBER = "unknown_number"
    NUMBER_DISABLED = "number_disabled"
    NO_PUBLISHED_REVISION = "no_published_revision"
    NO_PROVIDER_ACCOUNT = "no_provider_account"
    TENANT_DISABLED = "tenant_disabled"
    TENANT_LIMIT = "tenant_limit"
    TENANT_RATE = "tenant_rate"
    """More calls in a minute than the tenant may have."""
    CLOSED = "closed"
    """The number has opening hours, and it is outside of them."""
    BROWSER_FULL = "browser_full"
    """The worker takes no further call from a browser."""
    WORKER_FULL = "worker_full"
    WORKER_DRAINING = "worker_draining"
    WORKER_TOKEN_REFUSED = "worker_token_refused"  # noqa: S105 - a reason, not a token
    WEB_UNREACHABLE = "web_unreachable"
    """The web side did not answer and the worker has no plan for that number that is still good."""
    INTERNAL_ERROR = "internal_error"


SIP_STATUS: Final[dict[RefusalReason, int]] = {
    RefusalReason.UNKNOWN_NUMBER: 404,
    RefusalReason.NUMBER_DISABLED: 404,
    RefusalReason.NO_PUBLISHED_REVISION: 480,
    RefusalReason.NO_PROVIDER_ACCOUNT: 480,
    RefusalReason.TENANT_DISABLED: 403,
    RefusalReason.TENANT_LIMIT: 486,
    RefusalReason.TENANT_RATE: 486,
    RefusalReason.CLOSED: 480,
    RefusalReason.BROWSER_FULL: 503,
    RefusalReason.WORKER_FULL: 503,
    RefusalReason.WORKER_DRAINING: 503,
    RefusalReason.WORKER_TOKEN_REFUSED: 503,
    RefusalReason.WEB_UNREACHABLE: 503,
    RefusalReason.INTERNAL_ERROR: 500,
}
RETRY_AFTER_SECONDS: Final = 5
"""Value of Retry-After on every 503 (RFC 3261 section 20.33)."""


class EndCause(StrEnum):
    """Why an answered call ended."""

    CALLER_HUNG_UP = "caller_hung_up"
    AGENT_HUNG_UP = "agent_hung_up"
    TRANSFERRED = "transferred"
    OPERATOR_HUNG_UP = "operator_hung_up"
    """Somebody ended it in the portal or the console."""
    PROVIDER_FAILED = "provider_failed"
    MAX_DURATION = "max_duration"
    WORKER_STOPPED = "worker_stopped"
    INTERRUPTED = "interrupted"
    """The worker died; set by the web side only."""
    MEDIA_LOST = "media_lost"
    ABANDONED = "abandoned"
    """Nobody wrote any more in a chat."""
    INTERNAL_ERROR = "internal_error"


class ProblemKind(StrEnum):
    """What went wrong at a provider; each has a sentence for people on the web side."""

    KEY_REFUSED = "key_refused"
    QUOTA = "quota"
    RATE_LIMIT = "rate_limit"
    DIALECT_REFUSED = "dialect_refused"
    """`beta_api_shape_disabled`, or a shape that the server does not know."""
    SETTINGS_REFUSED = "settings_refused"
    """The first `session.update` was answered by an error."""
    MODEL_REFUSED = "model_refused"
    WRONG_AUDIO = "wrong_audio"
    TEXT_ONLY = "text_only"
    SILENT = "silent"
    """Nothing came back in time, though the session is open."""
    SESSION_EXPIRED = "session_expired"
    DROPPED = "dropped"
    UNREACHABLE = "unreachable"
    PROTOCOL = "protocol"
    """Frames that are not of the protocol."""


class PromptKind(StrEnum):
    """What a rendered prompt is for."""

    GREETING = "greeting"
    CONSENT = "consent"


class RecordingProblem(StrEnum):
    """Why a call that was to be recorded has no recording, or one that ends early."""

    DISK_FULL = "disk_full"
    NOT_WRITTEN = "not_written"
    NO_SOUND = "no_sound"
    NOT_ENCODED = "not_encoded"
    NOT_TAKEN = "not_taken"
    """The web side answered 400, 409 or 413."""


class CallKind(StrEnum):
    """Where a call comes from."""

    PHONE = "phone"
    BROWSER = "browser"
    """WebRTC, from a page of the portal."""
    CHAT = "chat"
    """Text only, from a page of the portal."""


class NoteKind(StrEnum):
    """Entries of a call's log."""

    DTMF = "dtmf"
    HELD = "held"
    RESUMED = "resumed"
    SESSION_OPENED = "session_opened"
    SESSION_REPLACED = "session_replaced"
    SAID = "said"
    """Words that a person had the agent say."""
    MUTED = "muted"
    UNMUTED = "unmuted"
    TRANSFER_ASKED = "transfer_asked"
    HANG_UP_ASKED = "hang_up_asked"
    LISTEN_BEGAN = "listen_began"
    LISTEN_ENDED = "listen_ended"
    FALLBACK_USED = "fallback_used"
    """The second provider account, or the transfer when no provider works."""


class UsageKind(StrEnum):
    """What the provider charges for."""

    RESPONSE = "response"
    TRANSCRIPTION = "transcription"


class ToolState(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


# --- the call plan -------------------------------------------------------------------------------


class AdmissionRequest(Message, frozen=True, kw_only=True):
    """A call that wants in. `call_key` makes a retry of the same call harmless."""

    call_key: str
    """UUID made by the worker; becomes the call's public id."""
    called: str
    """User part of the Request-URI (RFC 3261 section 8.1.1.1), as dialled."""
    calling: str
    calling_name: str = ""
    sip_call_id: str
    source: str = ""
    """`transport:address:port` that the INVITE came from, e.g. `UDP:192.0.2.7:5060`."""
    headers: dict[str, str] = {}


def may_lead_to(address: str, networks: Iterable[str]) -> bool:
    """Whether what a tenant typed may lead to this IP address: it is public, or in one of these.

    Else a tenant could have us look at services that only our own network reaches.
    """
    found = ip_address(address.partition("%")[0])
    plain = getattr(found, "ipv4_mapped", None) or found
    if any(plain in ip_network(network) for network in networks):
        return True
    return plain.is_global and not plain.is_multicast


class ProviderAccess(Message, frozen=True, kw_only=True):
    """How to reach a provider account. The key is never shown, logged or put in an exception."""

    account_id: str
    name: str
    url: str
    """wss://host/path[?query]; `model` is added to the query by the worker."""
    api_key: str
    auth: str = "bearer"
    """`bearer` (Authorization header) or `api-key` (Azure)."""
    networks: tuple[str, ...] | None = None
    """A tenant typed the address: it may lead to the public internet and to these networks (CIDR).
    None: the operator did, and it may lead anywhere."""

    def __repr__(self) -> str:
        return f"ProviderAccess(name={self.name!r}, url={self.url!r}, api_key=***)"


class Settings(Message, frozen=True, kw_only=True):
    """The effective settings of a call; ranges as the web side validated them."""

    dialect: Dialect = Dialect.OPENAI
    model: str
    voice: str
    instructions: str = ""
    audio_format: AudioFormat = AudioFormat.PCMU
    vad_mode: VadMode = VadMode.SERVER
    vad_threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    idle_timeout_ms: int = 0
    """0: none; else 5000-30000."""
    eagerness: Eagerness = Eagerness.AUTO
    interrupt: bool = True
    """The caller may interrupt the agent."""
    greeting_guard_ms: int = 1000
    """For so long after the greeting begins, noise from the caller does not stop it."""
    noise_reduction: NoiseReduction = NoiseReduction.OFF
    speed: float = 1.0
    temperature: float = 0.8
    """Sent only in dialects that know it."""
    max_output_tokens: int | None = None
    """None: no limit (`inf`)."""
    transcription_model: str = ""
    """Empty: the caller's words are not transcribed."""
    transcription_language: str = ""
    """ISO 639-1; empty: the provider finds out."""
    local_vad: LocalVad = LocalVad.OFF
    vad_gates_audio: bool = False
    """Only what the local VAD takes for speech goes to the provider."""
    vad_stops_agent: bool = True
    """The local VAD stops the agent before the provider's word has come."""
    false_interruption_ms: int = 1500
    """A stop by the local VAD that nobody confirms for so long is undone; 0: never."""
    chunk_ms: int = 40
    """Audio goes to the provider in pieces of so much: 20-100, a multiple of 20."""
    record: bool = False
    session_extra: dict[str, Any] = {}
    """Laid over the top level of the provider's session; only fields that have no setting."""


class Greeting(Message, frozen=True, kw_only=True):
    language: str
    text: str


class Prompt(Message, frozen=True, kw_only=True):
    """Speech that the web side has rendered; pulled by its digest."""

    kind: PromptKind
    language: str
    text: str
    digest: str
    """SHA-256 of the WAV file, in hexadecimal."""
    duration_ms: int


class TransferTarget(Message, frozen=True, kw_only=True):
    """Somebody whom the agent may connect a caller to."""

    name: str
    uri: str
    """sip: or sips: URI that the REFER names (RFC 3515)."""
    description: str = ""


class ToolSet(Message, frozen=True, kw_only=True):
    hang_up: bool = True
    transfer_targets: tuple[TransferTarget, ...] = ()


class CallPlan(Message, tag_field="verdict", tag="accept", frozen=True, kw_only=True):
    """All that a worker needs for one call; fixed while the call runs."""

    call_id: str
    tenant_id: str
    number_id: str
    agent_id: str
    agent_name: str
    revision: int
    language: str
    greeting: Greeting | None
    consent: Greeting | None = None
    """Said before the greeting of a call that is recorded."""
    prompts: tuple[Prompt, ...] = ()
    """Those of the texts above that are rendered; the provider says the others itself."""
    apology: Greeting
    """Said when the provider fails, before hanging up."""
    provider: ProviderAccess
    settings: Settings
    tools: ToolSet = ToolSet()
    kind: CallKind = CallKind.PHONE
    variables: dict[str, str] = {}
    """Values of the texts' variables that the worker does not know itself; see `fill`: agent,
    tenant, language, opening_hours, and `time_zone`, an IANA name in which the worker says date,
    time and weekday. Of a call from a browser also caller, caller_name and called."""
    fallback: ProviderAccess | None = None
    """A second provider account, for when the first one fails; see USES_FALLBACK."""
    fallback_target: str = ""
    """Name of the transfer target that the caller is given to when no provider works."""
    max_duration_seconds: int = 3600
    offline_seconds: int = 3600
    """For so long this plan answers calls to its number while the web side is unreachable."""


class Refusal(Message, tag_field="verdict", tag="refuse", frozen=True, kw_only=True):
    call_id: str
    reason: RefusalReason
    detail: str = ""


class AccountCheckPlan(Message, frozen=True, kw_only=True):
    """Open a session with this account and say what came back."""

    check_id: str
    provider: ProviderAccess
    settings: Settings


# --- variables in texts ---------------------------------------------------------------------------

VARIABLES: Final = (
    "caller", "caller_name", "called", "language", "agent", "tenant", "opening_hours", "date",
    "time", "weekday",
)  # fmt: skip
"""What `{{ name }}` in a prompt or a greeting may name."""
VARIABLE: Final = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}")
VALUE_LIMIT: Final = 200
"""Characters of a value: some come from the caller's telephone."""


def fill(template: str, values: Mapping[str, str]) -> str:
    """The text with its variables' values, each in one line; one without a value stays as it is.

    The worker fills, not the web side: a plan that is used again while the web side is away must
    not carry another caller's number. Pages fill for their previews.
    """

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        return " ".join(values[name].split())[:VALUE_LIMIT] if name in values else found.group(0)

    return VARIABLE.sub(value, template)


# --- events: what happened, up the link ----------------------------------------------------------


class Event(Message, tag_field="event", frozen=True, kw_only=True):
    """Base of what happened; `offset_ms` counts from the answer of the call."""


class WorkerStarted(Event, tag="worker.started", frozen=True, kw_only=True):
    """First event of each run of a worker: calls of earlier runs that are still open were lost."""

    boot_id: str


class CallTaken(Event, tag="call.taken", frozen=True, kw_only=True):
    """A call answered from the last known plan while the web side could not be reached."""

    request: AdmissionRequest
    tenant_id: str
    number_id: str
    agent_id: str
    revision: int


class CallRefused(Event, tag="call.refused", frozen=True, kw_only=True):
    """A call that the worker refused without the web side's word."""

    request: AdmissionRequest
    reason: RefusalReason
    detail: str = ""


class CallAnswered(Event, tag="call.answered", frozen=True, kw_only=True):
    codec: str = ""
    """Name of the call's RTP encoding, e.g. `PCMU/8000` (RFC 3551)."""


class CallEnded(Event, tag="call.ended", frozen=True, kw_only=True):
    cause: EndCause
    detail: str = ""
    """One plain sentence, in English; empty where the cause says it all."""
    duration_ms: int = 0
    sip_status: int = 0


class SessionOpened(Event, tag="session.opened", frozen=True, kw_only=True):
    account_id: str
    session_id: str = ""
    model: str = ""
    input_format: AudioFormat
    output_format: AudioFormat
    took_ms: int


class ProviderProblem(Event, tag="provider.problem", frozen=True, kw_only=True):
    account_id: str
    kind: ProblemKind
    code: str = ""
    message: str = ""
    """What the provider said; holds no key and no prompt."""
    fatal: bool = False
    offset_ms: int = 0


class TranscriptUpdated(Event, tag="transcript.updated", frozen=True, kw_only=True):
    """One entry of the transcript as it now stands; the same `item_id` replaces what was."""

    item_id: str
    position: int
    """Orders the entries of a call; not dense."""
    speaker: Speaker
    text: str
    """Agent: only what the caller has heard so far."""
    cut_text: str = ""
    """Agent: what a barge-in cut off."""
    final: bool = False
    offset_ms: int = 0
    """Where the entry begins."""
    duration_ms: int = 0
    command_id: str = ""
    """Of the SayText that it answers."""


class ToolUpdated(Event, tag="tool.updated", frozen=True, kw_only=True):
    tool_call_id: str
    position: int
    name: str
    arguments: dict[str, Any] = {}
    state: ToolState
    result: str = ""
    """One plain sentence."""
    offset_ms: int = 0
    duration_ms: int = 0
    command_id: str = ""
    """Of the command by which a person asked for it."""


class CallNoted(Event, tag="call.noted", frozen=True, kw_only=True):
    """Something for the call's log."""

    kind: NoteKind
    offset_ms: int = 0
    text: str = ""
    """The key that was pressed, the name of the fallback, and so on."""
    command_id: str = ""


class TurnMeasured(Event, tag="turn.measured", frozen=True, kw_only=True):
    """Timings of one agent turn, in ms from the call's answer; None where it did not happen."""

    number: int
    caller_stopped_ms: int | None = None
    end_known_ms: int | None = None
    first_audio_ms: int | None = None
    first_packet_ms: int | None = None
    playout_ended_ms: int | None = None
    interrupted: bool = False


class CallMeasured(Event, tag="call.measured", frozen=True, kw_only=True):
    """What the line was like; comes just before the call's end. -1: not known."""

    packets_received: int = -1
    packets_lost: int = -1
    """Of the caller's audio, on its way to us (RFC 3550 section 6.4.1)."""
    packets_discarded: int = -1
    """Received, but not played: too late, or too many at once."""
    packets_sent: int = -1
    remote_lost: int = -1
    """Of ours, as the other side reports it (RTCP)."""
    jitter_ms: float = 0.0
    """Interarrival jitter, mean over the call (RFC 3550 section 6.4.1)."""
    jitter_max_ms: float = 0.0
    round_trip_ms: float = 0.0
    """From RTCP; 0: the other side sends none."""
    late_frames: int = 0
    """Frames of 20 ms that we handed out late."""
    underruns: int = 0
    """How often the agent's speech ran dry before its end."""
    dropped_ms: int = 0
    """The caller's audio that was thrown away because nobody took it in time."""
    heard_ms: int = 0
    """The caller's audio, silence included."""
    not_sent_ms: int = 0
    """Of it, what was kept from the provider: nobody spoke, or the call was on hold."""
    mos: float | None = None
    """Estimate of the mean opinion score, 1 to 4.5 (ITU-T G.107); None: nothing was measured."""


class RecordingFailed(Event, tag="recording.failed", frozen=True, kw_only=True):
    """Comes also after the call's end. What was written until then is sent all the same."""

    problem: RecordingProblem


class UsageReported(Event, tag="usage.reported", frozen=True, kw_only=True):
    """What one response or one transcription cost, as the provider counted it (`response.done`,
    `conversation.item.input_audio_transcription.completed`)."""

    kind: UsageKind = UsageKind.RESPONSE
    model: str = ""
    input_text_tokens: int = 0
    input_audio_tokens: int = 0
    cached_text_tokens: int = 0
    cached_audio_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_tokens: int = 0
    seconds: float = 0.0
    """Where the provider counts time instead of tokens."""


class AccountChecked(Event, tag="account.checked", frozen=True, kw_only=True):
    check_id: str
    ok: bool
    kind: ProblemKind | None = None
    message: str = ""
    session_id: str = ""
    took_ms: int = 0


AnyEvent = (
    WorkerStarted
    | CallTaken
    | CallRefused
    | CallAnswered
    | CallEnded
    | SessionOpened
    | ProviderProblem
    | TranscriptUpdated
    | ToolUpdated
    | CallNoted
    | TurnMeasured
    | CallMeasured
    | RecordingFailed
    | UsageReported
    | AccountChecked
)


class Record(Message, frozen=True, kw_only=True):
    """An event on its way: its place in the worker's outbox, its call, its time (Unix seconds)."""

    seq: int
    at: float
    call_id: str = ""
    event: AnyEvent


# --- frames of the link --------------------------------------------------------------------------


class Frame(Message, tag_field="frame", frozen=True, kw_only=True):
    """Base of the link's frames."""


class Hello(Frame, tag="hello", frozen=True, kw_only=True):
    contract: int = CONTRACT_VERSION
    stream: str
    """UUID of the worker's outbox file; a new file is a new stream."""
    boot_id: str
    host: str
    version: str
    sip_build: str
    """pjsua2 version and suffix."""
    capacity: int
    """Calls at once that this build and configuration really take."""
    clock_rate: int = 8000
    """Hz of the bridge: 8000, or 16000 for wideband lines."""
    addresses: tuple[str, ...] = ()
    """`sip:host:port;transport=udp` and so on."""
    browser_calls: int = 0
    """Calls from browsers at once that this worker takes; 0: none."""
    commands: tuple[str, ...] = ()
    """Tags of the commands that this build knows, beside HangUpCall and CheckAccount; and
    USES_FALLBACK."""


class Events(Frame, tag="events", frozen=True, kw_only=True):
    stream: str
    records: tuple[Record, ...]


class Heartbeat(Frame, tag="heartbeat", frozen=True, kw_only=True):
    active_calls: int
    draining: bool = False
    outbox_depth: int = 0
    active_browser_calls: int = 0
    cpu_percent: float = 0.0
    """Of one core, over the time since the last heartbeat."""
    memory_bytes: int = 0
    """Resident."""
    late_frames: int = 0
    """Since the worker started."""


class CommandDone(Frame, tag="command.done", frozen=True, kw_only=True):
    command_id: str
    ok: bool
    detail: str = ""
    """Why not, in one plain sentence."""


class BrowserCallAnswer(Frame, tag="browser_call.answer", frozen=True, kw_only=True):
    """Answer to StartBrowserCall: the SDP (RFC 3264), or why there is none."""

    call_id: str
    sdp: str = ""
    refused: str = ""


class ListenAudio(Frame, tag="listen.audio", frozen=True, kw_only=True):
    """100 ms of a call that is listened to: 800 bytes of PCMU a side, silence where nobody speaks.

    Not in the outbox: what the socket cannot take in time is lost.
    """

    listen_id: str
    seq: int
    at_ms: int
    """On the call's clock."""
    caller: bytes
    agent: bytes


class ListenEnded(Frame, tag="listen.ended", frozen=True, kw_only=True):
    listen_id: str


class Welcome(Frame, tag="welcome", frozen=True, kw_only=True):
    worker: str
    """The worker's name as the web side knows it."""
    acknowledged: int
    """Highest seq stored of this stream; 0 for a new one."""
    draining: bool = False
    """The operator wants this worker to take no new call."""


class Ack(Frame, tag="ack", frozen=True, kw_only=True):
    stream: str
    seq: int


class HangUpCall(Frame, tag="call.hang_up", frozen=True, kw_only=True):
    command_id: str
    call_id: str


class SayText(Frame, tag="call.say", frozen=True, kw_only=True):
    """The agent says these words, after what it is saying."""

    command_id: str
    call_id: str
    text: str


class MuteAgent(Frame, tag="call.mute", frozen=True, kw_only=True):
    """The agent is silent and answers nothing until it is unmuted; SayText is said all the same."""

    command_id: str
    call_id: str
    muted: bool


class TransferCall(Frame, tag="call.transfer", frozen=True, kw_only=True):
    command_id: str
    call_id: str
    uri: str
    """sip:, sips: or tel: URI."""
    name: str = ""


class StartListening(Frame, tag="listen.start", frozen=True, kw_only=True):
    command_id: str
    call_id: str
    listen_id: str


class StopListening(Frame, tag="listen.stop", frozen=True, kw_only=True):
    command_id: str
    listen_id: str


class DrainWorker(Frame, tag="worker.drain", frozen=True, kw_only=True):
    command_id: str
    draining: bool


class StartBrowserCall(Frame, tag="browser_call.start", frozen=True, kw_only=True):
    """Pull the call's plan over HTTP and answer the offer by BrowserCallAnswer."""

    command_id: str
    call_id: str
    sdp: str


class PressKey(Frame, tag="browser_call.key", frozen=True, kw_only=True):
    command_id: str
    call_id: str
    digit: str
    """0-9, *, #, A-D."""


class StartChat(Frame, tag="chat.start", frozen=True, kw_only=True):
    """Pull the call's plan over HTTP and open a session without sound."""

    command_id: str
    call_id: str


class SendChatText(Frame, tag="chat.text", frozen=True, kw_only=True):
    command_id: str
    call_id: str
    text: str
    item_id: str
    """Of the caller's entry in the transcript."""


class CheckAccount(Frame, tag="account.check", frozen=True, kw_only=True):
    """Pull the check's plan over HTTP, run it, report AccountChecked. Carries no secret."""

    command_id: str
    check_id: str


class Rejected(Frame, tag="rejected", frozen=True, kw_only=True):
    detail: str


UpFrame = Hello | Events | Heartbeat | CommandDone | BrowserCallAnswer | ListenAudio | ListenEnded
Command = (
    HangUpCall
    | CheckAccount
    | SayText
    | MuteAgent
    | TransferCall
    | StartListening
    | StopListening
    | DrainWorker
    | StartBrowserCall
    | PressKey
    | StartChat
    | SendChatText
)
DownFrame = Welcome | Ack | Rejected | Command

encode = msgspec.json.encode
decode_up: Final = msgspec.json.Decoder(UpFrame).decode
decode_down: Final = msgspec.json.Decoder(DownFrame).decode
decode_admission_request: Final = msgspec.json.Decoder(AdmissionRequest).decode
decode_admission: Final = msgspec.json.Decoder(CallPlan | Refusal).decode
decode_check_plan: Final = msgspec.json.Decoder(AccountCheckPlan).decode
