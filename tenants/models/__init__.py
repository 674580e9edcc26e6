"""What tenants own and what happened on their calls; one file a noun."""

from tenants.models.account import ProviderAccount
from tenants.models.agent import Agent
from tenants.models.audit import AuditEntry
from tenants.models.call import Call
from tenants.models.call_event import CallEvent
from tenants.models.call_note import CallNote
from tenants.models.catalogue import Price, ProviderModel
from tenants.models.day_stats import DayStats, StaleDay
from tenants.models.export import DataExport
from tenants.models.idempotency import IdempotencyKey
from tenants.models.identity import IdentityProvider
from tenants.models.invitation import Invitation
from tenants.models.job_failure import JobFailure
from tenants.models.number import Number
from tenants.models.problem import CallProblem
from tenants.models.prompt import Prompt
from tenants.models.quality import CallQuality
from tenants.models.recording import Recording
from tenants.models.revision import AgentRevision
from tenants.models.search import SearchDocument
from tenants.models.settings import PlatformSettings, SettingsFields, TenantSettings
from tenants.models.support import SupportGrant
from tenants.models.tag import Tag
from tenants.models.tenant import Member, Tenant
from tenants.models.token import ApiToken
from tenants.models.tool import ToolCall
from tenants.models.transcript import TranscriptEntry
from tenants.models.turn import Turn
from tenants.models.usage import CallUsage
from tenants.models.user import User
from tenants.models.worker import SetAsideRecord, Worker, WorkerStream

__all__ = [
    "Agent",
    "AgentRevision",
    "ApiToken",
    "AuditEntry",
    "Call",
    "CallEvent",
    "CallNote",
    "CallProblem",
    "CallQuality",
    "CallUsage",
    "DataExport",
    "DayStats",
    "IdempotencyKey",
    "IdentityProvider",
    "Invitation",
    "JobFailure",
    "Member",
    "Number",
    "PlatformSettings",
    "Price",
    "Prompt",
    "ProviderAccount",
    "ProviderModel",
    "Recording",
    "SearchDocument",
    "SetAsideRecord",
    "SettingsFields",
    "StaleDay",
    "SupportGrant",
    "Tag",
    "Tenant",
    "TenantSettings",
    "ToolCall",
    "TranscriptEntry",
    "Turn",
    "User",
    "Worker",
    "WorkerStream",
]
