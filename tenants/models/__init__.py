"""What tenants own and what happened on their calls; one file a noun."""

from tenants.models.account import ProviderAccount
from tenants.models.agent import Agent
from tenants.models.audit import AuditEntry
from tenants.models.call import Call
from tenants.models.number import Number
from tenants.models.problem import CallProblem
from tenants.models.prompt import Prompt
from tenants.models.quality import CallQuality
from tenants.models.recording import Recording
from tenants.models.revision import AgentRevision
from tenants.models.settings import PlatformSettings, SettingsFields, TenantSettings
from tenants.models.tenant import Member, Tenant
from tenants.models.tool import ToolCall
from tenants.models.transcript import TranscriptEntry
from tenants.models.turn import Turn
from tenants.models.user import User
from tenants.models.worker import SetAsideRecord, Worker, WorkerStream

__all__ = [
    "Agent",
    "AgentRevision",
    "AuditEntry",
    "Call",
    "CallProblem",
    "CallQuality",
    "Member",
    "Number",
    "PlatformSettings",
    "Prompt",
    "ProviderAccount",
    "Recording",
    "SetAsideRecord",
    "SettingsFields",
    "Tenant",
    "TenantSettings",
    "ToolCall",
    "TranscriptEntry",
    "Turn",
    "User",
    "Worker",
    "WorkerStream",
]
