"""Letters to people: plain text, in the reader's language, from templates/emails/.

With PBXAI_SMTP_URL they go out; without it they lie as files in PBXAI_DATA/mail, and pages show
the link that such a letter holds.
"""

from __future__ import annotations

from smtplib import SMTPException
from typing import Any
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import get_language

log = structlog.get_logger(__name__)


def is_filed() -> bool:
    """Whether letters only lie in a folder of ours."""
    return str(settings.EMAIL_BACKEND).endswith(".filebased.EmailBackend")


def absolute(path: str) -> str:
    """The address that people type for a path of ours."""
    return urljoin(settings.EXTERNAL_URL, path)


def send(*, to: str, letter: str, language: str, time_zone: str = "UTC", **context: Any) -> bool:
    """Send templates/emails/<letter>.txt, whose first line is the subject; False: it failed.

    `language` may be empty: as whoever asks for it speaks. Times are on the clock of `time_zone`.
    A failure is in the log; whoever calls says to the person what to do.
    """
    reader = translation.override(language or get_language() or settings.LANGUAGE_CODE)
    with reader, timezone.override(ZoneInfo(time_zone)):
        text = render_to_string(f"emails/{letter}.txt", context)
    subject, _, body = text.strip().partition("\n")
    message = EmailMessage(subject=subject.strip(), body=body.strip() + "\n", to=[to])
    try:
        message.send()
    except (SMTPException, OSError) as error:
        log.warning("mail_failed", letter=letter, error=str(error))
        return False
    log.info("mail_sent", letter=letter, filed=is_filed())
    return True
