"""Words with labels for people; the values are those of the contract."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from media_worker import contract


class Language(models.TextChoices):
    """Languages of the pages."""

    ENGLISH = "en", _("English")
    GERMAN = "de", _("German")


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Administrator")
    EDITOR = "editor", _("Editor")
    VIEWER = "viewer", _("Viewer")


class Dialect(models.TextChoices):
    OPENAI = contract.Dialect.OPENAI.value, _("OpenAI Realtime")
    OPENAI_BETA = (
        contract.Dialect.OPENAI_BETA.value,
        _("OpenAI Realtime beta (Azure preview, Qwen)"),
    )


class AudioFormat(models.TextChoices):
    PCMU = contract.AudioFormat.PCMU.value, _("G.711 µ-law, 8 kHz")
    PCMA = contract.AudioFormat.PCMA.value, _("G.711 A-law, 8 kHz")
    PCM_24K = contract.AudioFormat.PCM_24K.value, _("PCM 16 bit, 24 kHz")
    PCM_16K = contract.AudioFormat.PCM_16K.value, _("PCM 16 bit, 16 kHz (beta dialect only)")


class VadMode(models.TextChoices):
    SERVER = contract.VadMode.SERVER.value, _("Provider, by silence")
    SEMANTIC = contract.VadMode.SEMANTIC.value, _("Provider, by meaning")
    LOCAL = contract.VadMode.LOCAL.value, _("Here, before audio is sent")


class LocalVad(models.TextChoices):
    OFF = contract.LocalVad.OFF.value, _("Off")
    ENERGY = contract.LocalVad.ENERGY.value, _("By loudness")
    WEBRTC = contract.LocalVad.WEBRTC.value, _("WebRTC detector")
    NEURAL = contract.LocalVad.NEURAL.value, _("Neural network (Silero)")


class Eagerness(models.TextChoices):
    AUTO = contract.Eagerness.AUTO.value, _("Automatic")
    LOW = contract.Eagerness.LOW.value, _("Low: lets the caller think")
    MEDIUM = contract.Eagerness.MEDIUM.value, _("Medium")
    HIGH = contract.Eagerness.HIGH.value, _("High: answers quickly")


class NoiseReduction(models.TextChoices):
    OFF = contract.NoiseReduction.OFF.value, _("Off")
    NEAR_FIELD = contract.NoiseReduction.NEAR_FIELD.value, _("Handset or headset")
    FAR_FIELD = contract.NoiseReduction.FAR_FIELD.value, _("Speakerphone or room")


class Auth(models.TextChoices):
    """How a provider wants its key."""

    BEARER = "bearer", _("Authorization: Bearer (OpenAI and most others)")
    API_KEY = "api-key", _("api-key header (Azure)")


class CheckState(models.TextChoices):
    NONE = "", _("Not checked")
    PENDING = "pending", _("Being checked")
    OK = "ok", _("Works")
    FAILED = "failed", _("Failed")


class CallState(models.TextChoices):
    RINGING = "ringing", _("Ringing")
    RUNNING = "running", _("Running")
    ENDED = "ended", _("Ended")
    REFUSED = "refused", _("Refused")


class RefusalReason(models.TextChoices):
    UNKNOWN_NUMBER = contract.RefusalReason.UNKNOWN_NUMBER.value, _("Unknown number")
    NUMBER_DISABLED = contract.RefusalReason.NUMBER_DISABLED.value, _("Number switched off")
    NO_PUBLISHED_REVISION = (
        contract.RefusalReason.NO_PUBLISHED_REVISION.value,
        _("Agent not published"),
    )
    NO_PROVIDER_ACCOUNT = contract.RefusalReason.NO_PROVIDER_ACCOUNT.value, _("No provider account")
    TENANT_DISABLED = contract.RefusalReason.TENANT_DISABLED.value, _("Customer switched off")
    TENANT_LIMIT = contract.RefusalReason.TENANT_LIMIT.value, _("Too many calls at once")
    TENANT_RATE = contract.RefusalReason.TENANT_RATE.value, _("Too many calls a minute")
    CLOSED = contract.RefusalReason.CLOSED.value, _("Outside of the opening hours")
    BROWSER_FULL = contract.RefusalReason.BROWSER_FULL.value, _("No room for a call from a browser")
    WORKER_FULL = contract.RefusalReason.WORKER_FULL.value, _("Media worker full")
    WORKER_DRAINING = contract.RefusalReason.WORKER_DRAINING.value, _("Media worker stopping")
    WORKER_TOKEN_REFUSED = (
        contract.RefusalReason.WORKER_TOKEN_REFUSED.value,
        _("Media worker not authorised"),
    )
    WEB_UNREACHABLE = contract.RefusalReason.WEB_UNREACHABLE.value, _("Web side unreachable")
    INTERNAL_ERROR = contract.RefusalReason.INTERNAL_ERROR.value, _("Internal error")


class EndCause(models.TextChoices):
    CALLER_HUNG_UP = contract.EndCause.CALLER_HUNG_UP.value, _("Caller hung up")
    AGENT_HUNG_UP = contract.EndCause.AGENT_HUNG_UP.value, _("Agent hung up")
    TRANSFERRED = contract.EndCause.TRANSFERRED.value, _("Transferred")
    OPERATOR_HUNG_UP = contract.EndCause.OPERATOR_HUNG_UP.value, _("Ended from the portal")
    PROVIDER_FAILED = contract.EndCause.PROVIDER_FAILED.value, _("AI provider failed")
    MAX_DURATION = contract.EndCause.MAX_DURATION.value, _("Longest duration reached")
    WORKER_STOPPED = contract.EndCause.WORKER_STOPPED.value, _("Media worker stopped")
    INTERRUPTED = contract.EndCause.INTERRUPTED.value, _("Media worker lost")
    MEDIA_LOST = contract.EndCause.MEDIA_LOST.value, _("Audio lost")
    ABANDONED = contract.EndCause.ABANDONED.value, _("Abandoned")
    INTERNAL_ERROR = contract.EndCause.INTERNAL_ERROR.value, _("Internal error")


class RecordingProblem(models.TextChoices):
    DISK_FULL = contract.RecordingProblem.DISK_FULL.value, _("Disk full")
    NOT_WRITTEN = contract.RecordingProblem.NOT_WRITTEN.value, _("Could not be written")
    NO_SOUND = contract.RecordingProblem.NO_SOUND.value, _("No sound")
    NOT_ENCODED = contract.RecordingProblem.NOT_ENCODED.value, _("Could not be encoded")
    NOT_TAKEN = contract.RecordingProblem.NOT_TAKEN.value, _("Not accepted here")


class ProblemKind(models.TextChoices):
    KEY_REFUSED = contract.ProblemKind.KEY_REFUSED.value, _("Key refused")
    QUOTA = contract.ProblemKind.QUOTA.value, _("Out of credit")
    RATE_LIMIT = contract.ProblemKind.RATE_LIMIT.value, _("Rate limit")
    DIALECT_REFUSED = contract.ProblemKind.DIALECT_REFUSED.value, _("Dialect refused")
    SETTINGS_REFUSED = contract.ProblemKind.SETTINGS_REFUSED.value, _("Settings refused")
    MODEL_REFUSED = contract.ProblemKind.MODEL_REFUSED.value, _("Model refused")
    WRONG_AUDIO = contract.ProblemKind.WRONG_AUDIO.value, _("Wrong audio format")
    TEXT_ONLY = contract.ProblemKind.TEXT_ONLY.value, _("Text without speech")
    SILENT = contract.ProblemKind.SILENT.value, _("No answer")
    SESSION_EXPIRED = contract.ProblemKind.SESSION_EXPIRED.value, _("Session expired")
    DROPPED = contract.ProblemKind.DROPPED.value, _("Connection dropped")
    UNREACHABLE = contract.ProblemKind.UNREACHABLE.value, _("Unreachable")
    PROTOCOL = contract.ProblemKind.PROTOCOL.value, _("Protocol error")


class Speaker(models.TextChoices):
    CALLER = contract.Speaker.CALLER.value, _("Caller")
    AGENT = contract.Speaker.AGENT.value, _("Agent")


class PromptState(models.TextChoices):
    WAITING = "waiting", _("Being made")
    READY = "ready", _("Ready")
    FAILED = "failed", _("Not available")


class ToolState(models.TextChoices):
    RUNNING = contract.ToolState.RUNNING.value, _("Running")
    SUCCEEDED = contract.ToolState.SUCCEEDED.value, _("Done")
    FAILED = contract.ToolState.FAILED.value, _("Failed")


class CallKind(models.TextChoices):
    PHONE = contract.CallKind.PHONE.value, _("Telephone")
    BROWSER = contract.CallKind.BROWSER.value, _("Browser")
    CHAT = contract.CallKind.CHAT.value, _("Chat")


class NoteKind(models.TextChoices):
    DTMF = contract.NoteKind.DTMF.value, _("Key pressed")
    HELD = contract.NoteKind.HELD.value, _("Put on hold")
    RESUMED = contract.NoteKind.RESUMED.value, _("Taken off hold")
    SESSION_OPENED = contract.NoteKind.SESSION_OPENED.value, _("Provider connected")
    SESSION_REPLACED = contract.NoteKind.SESSION_REPLACED.value, _("Provider connected anew")
    SAID = contract.NoteKind.SAID.value, _("Said on request")
    MUTED = contract.NoteKind.MUTED.value, _("Agent muted")
    UNMUTED = contract.NoteKind.UNMUTED.value, _("Agent speaks again")
    TRANSFER_ASKED = contract.NoteKind.TRANSFER_ASKED.value, _("Transfer asked for")
    HANG_UP_ASKED = contract.NoteKind.HANG_UP_ASKED.value, _("End asked for")
    LISTEN_BEGAN = contract.NoteKind.LISTEN_BEGAN.value, _("Somebody listens in")
    LISTEN_ENDED = contract.NoteKind.LISTEN_ENDED.value, _("Listening in ended")
    FALLBACK_USED = contract.NoteKind.FALLBACK_USED.value, _("Fallback used")


class CommandState(models.TextChoices):
    """How far something is that a person asked for; empty: nobody asked, it happened."""

    NONE = "", _("Happened")
    ASKED = "asked", _("Asked for")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")


class UsageKind(models.TextChoices):
    RESPONSE = contract.UsageKind.RESPONSE.value, _("Conversation")
    TRANSCRIPTION = contract.UsageKind.TRANSCRIPTION.value, _("Transcription")


class ListenIn(models.TextChoices):
    """Who may listen to a call that runs."""

    NOBODY = "nobody", _("Nobody")
    ADMINS = "admins", _("Owners and administrators")


class Provider(models.TextChoices):
    """Whose models and prices; found from the address of a provider account."""

    OPENAI = "openai", _("OpenAI")
    AZURE = "azure", _("Azure OpenAI")
    SANDBOX = "sandbox", _("Sandbox")
    OTHER = "other", _("Another provider")


class ModelKind(models.TextChoices):
    REALTIME = "realtime", _("Conversation")
    TRANSCRIPTION = "transcription", _("Transcription")
    SPEECH = "speech", _("Speech")


class Via(models.TextChoices):
    """The way by which somebody acted."""

    PORTAL = "portal", _("Portal")
    CONSOLE = "console", _("Console")
    ADMIN = "admin", _("Raw access")
    API = "api", _("API")
    WORKER = "worker", _("Media worker")
    JOB = "job", _("Job")
    COMMAND = "command", _("Command line")


class IdentityKind(models.TextChoices):
    OIDC = "oidc", _("OpenID Connect")
    SAML = "saml", _("SAML")


class SupportRole(models.TextChoices):
    """What the operator's people may do with a grant."""

    VIEWER = Role.VIEWER.value, _("Look")
    ADMIN = Role.ADMIN.value, _("Look and change")


class ExportState(models.TextChoices):
    WAITING = "waiting", _("Being made")
    READY = "ready", _("Ready")
    FAILED = "failed", _("Failed")
