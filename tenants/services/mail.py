"""Letters to people: plain text, in the reader's language, from templates/emails/.

With PBXAI_SMTP_URL they go out; without it they lie as files in PBXAI_DATA/mail, and pages show
the link that such a letter holds.
"""

from __future__ import annotations

from smtplib import SMTPException
from typing import Any
from urllib.parse import urljoin

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import translation

log = structlog.get_logger(__name__)


def is_filed() -> bool:
    """Whether letters only lie in a folder of ours."""
    return str(settings.EMAIL_BACKEND).endswith(".filebased.EmailBackend")


def absolute(path: str) -> str:
    """The address that people type for a path of ours."""
    return urljoin(settings.EXTERNAL_URL, path)


def send(*, to: str, letter: str, language: str, **context: Any) -> bool:
    """Send templates/emails/<letter>.txt, whose first line is the subject; False: it failed.

    The failure is in the log; whoever calls says to the person what to do.
    """
    with translation.override(language or settings.LANGUAGE_CODE):
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
