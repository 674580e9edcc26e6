from __future__ import annotations

from celery import shared_task

from tenants.services import prompts


@shared_task(ignore_result=True)
def render_due_prompts() -> None:
    """Find the prompts that are to be rendered; beat sends this every few seconds."""
    for pk in prompts.take_due():
        render_prompt.delay(pk)


@shared_task(ignore_result=True)
def render_prompt(pk: int) -> None:
    prompts.render(pk)


@shared_task(ignore_result=True)
def prepare_prompts() -> None:
    """See that every published agent has its prompts: the platform's settings have changed."""
    prompts.prepare_all()


@shared_task(ignore_result=True)
def tidy_prompts() -> None:
    """Delete prompts that nobody needs; beat sends this once an hour."""
    prompts.tidy()
