"""The agent's editor: inherited values, drafts, publishing, conflicts, history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.test import Client
from django_scopes import scope

from tenants.models import Agent, AgentRevision, TenantSettings, User
from tenants.portal.agent_form import AgentForm
from tenants.services.effective import effective_settings
from tests.portal.conftest import address

TEXTS = ("greetings", "consents", "apologies")


def sent(agent: Agent, **changed: Any) -> dict[str, Any]:
    """What the editor would send now, with some fields changed; None takes a field out."""
    draft = reread(agent)
    with scope(tenant=draft.tenant):
        effective = effective_settings(tenant=draft.tenant, source=draft)
        form = AgentForm(instance=draft, tenant=draft.tenant, effective=effective)
    data: dict[str, Any] = {
        name: "" if form[name].value() is None else form[name].value()
        for name in form.fields
        if name not in {*TEXTS, "transfer_targets", "hang_up_enabled"}
    }
    if form["hang_up_enabled"].value():
        data["hang_up_enabled"] = "on"
    for name in TEXTS:
        here = form[name].value() or {}
        data[f"{name}-languages"] = list(here)
        data |= {f"{name}-{code}": text for code, text in here.items()}
    for part in ("name", "uri", "description"):
        data[f"transfer_targets-{part}"] = [
            target[part] for target in form["transfer_targets"].value() or []
        ]
    data |= changed
    return {name: value for name, value in data.items() if value is not None}


def save(browser: Client, agent: Agent, **changed: Any) -> Any:
    return browser.post(address("agent", agent_id=agent.public_id), sent(agent, **changed))


def reread(agent: Agent) -> Agent:
    return Agent.all_tenants.get(pk=agent.pk)


def test_saving_without_a_change_changes_nothing(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    before = reread(published)
    assert save(browse(erin), published).status_code == 302
    after = reread(published)
    for field in Agent._meta.local_fields:
        if field.name not in {"draft_version", "updated_at", "updated_by"}:
            assert getattr(after, field.name) == getattr(before, field.name), field.name
    assert after.updated_by == erin


def test_every_setting_can_be_set_and_given_back(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    values: dict[str, tuple[Any, Any]] = {
        "dialect": ("openai-beta", "openai-beta"),
        "model": ("gpt-realtime-2", "gpt-realtime-2"),
        "voice": ("cedar", "cedar"),
        "language": ("de", "de"),
        "audio_format": ("pcm24k", "pcm24k"),
        "vad_mode": ("semantic_vad", "semantic_vad"),
        "vad_threshold": ("0.7", 0.7),
        "prefix_padding_ms": ("250", 250),
        "silence_duration_ms": ("700", 700),
        "idle_timeout_ms": ("0", 0),
        "eagerness": ("high", "high"),
        "interrupt": ("false", False),
        "greeting_guard_ms": ("1500", 1500),
        "noise_reduction": ("near_field", "near_field"),
        "speed": ("1.1", 1.1),
        "temperature": ("0.9", 0.9),
        "max_output_tokens": ("400", "400"),
        "transcription_model": ("off", ""),
        "transcription_language": ("auto", ""),
        "local_vad": ("neural", "neural"),
        "vad_stops_agent": ("false", False),
        "vad_gates_audio": ("true", True),
        "false_interruption_ms": ("0", 0),
        "chunk_ms": ("100", 100),
        "record": ("true", True),
        "instructions": ("Be kind.", "Be kind."),
    }
    browser = browse(erin)
    answer = save(browser, published, **{name: typed for name, (typed, _kept) in values.items()})
    assert answer.status_code == 302
    draft = reread(published)
    for name, (_typed, kept) in values.items():
        assert getattr(draft, name) == kept, name
    # What was set comes back into the form, and is kept by the next save.
    assert save(browser, published).status_code == 302
    for name, (_typed, kept) in values.items():
        assert getattr(reread(published), name) == kept, name
    # Emptied, everything is inherited again.
    assert save(browser, published, **dict.fromkeys(values, "")).status_code == 302
    for name in values:
        assert getattr(reread(published), name) is None, name


def test_the_editor_shows_what_is_inherited_and_from_where(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    TenantSettings.all_tenants.update_or_create(
        tenant=published.tenant, defaults={"voice": "cedar", "language": "de"}
    )
    published.voice = "marin"
    published.save()
    page = browse(erin).get(address("agent", agent_id=published.public_id))
    form: AgentForm = page.context["form"]
    voice, language, model = (form.row(name) for name in ("voice", "language", "model"))
    assert (voice.is_here, voice.inherited_text, voice.inherited_level) == (True, "cedar", "tenant")
    assert (language.is_here, language.inherited_text) == (False, "German")
    assert (model.is_here, model.inherited_level) == (False, "platform")
    text = page.content.decode()
    assert "Without it: cedar" in text
    assert 'data-reset="id_voice"' in text
    assert 'data-reset="id_model"' not in text
    assert "Inherited: German" in text


def test_greetings_by_language_are_set_silenced_and_given_back(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(erin)
    added = {
        "greetings-languages": ["en", "de", "fr"],
        "greetings-en": "Hello, Acme Dental.",
        "greetings-de": "Guten Tag!",
        "greetings-fr": "",
    }
    assert save(browser, published, **added).status_code == 302
    assert reread(published).greetings == {
        "en": "Hello, Acme Dental.",
        "de": "Guten Tag!",
        "fr": "",
    }
    none = {"greetings-languages": [], "greetings-en": None, "greetings-de": None}
    assert save(browser, published, **none).status_code == 302
    assert reread(published).greetings is None


def test_an_apology_needs_words(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    answer = save(browse(erin), published, **{"apologies-languages": ["de"], "apologies-de": "  "})
    assert answer.status_code == 200
    assert "Every apology needs words." in answer.content.decode()
    assert reread(published).apologies is None


def test_a_transfer_target_is_named_as_the_model_says_it(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    rows = {
        "transfer_targets-name": ["Sales Team", ""],
        "transfer_targets-uri": ["sip:200@pbx.example.com", ""],
        "transfer_targets-description": ["Offers", ""],
    }
    assert save(browse(erin), published, **rows).status_code == 302
    assert reread(published).transfer_targets == [
        {"name": "sales_team", "uri": "sip:200@pbx.example.com", "description": "Offers"}
    ]


def test_what_cannot_be_is_refused_in_plain_words_and_nothing_typed_is_lost(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    answer = save(
        browse(erin),
        published,
        vad_threshold="7",
        idle_timeout_ms="200",
        max_output_tokens="lots",
        instructions="My long new prompt.",
        **{
            "transfer_targets-name": ["sales"],
            "transfer_targets-uri": ["nonsense"],
            "transfer_targets-description": [""],
        },
    )
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "Not saved yet" in page
    assert "Ensure this value is less than or equal to 1.0." in page
    assert "Give 0 for none, or 5000 to 30000 milliseconds." in page
    assert "is not an address such as sip:sales@pbx.example.com" in page
    assert "My long new prompt." in page
    assert 'value="nonsense"' in page
    tabs = {tab["id"]: tab["problem"] for tab in answer.context["form"].tabs}
    assert tabs["turns"]
    assert tabs["tools"]
    assert not tabs["voice"]
    assert reread(published).instructions == "You are the reception of Acme Dental."


def test_a_new_agent_begins_as_a_draft(
    erin: User, acme: Any, browse: Callable[[User], Client]
) -> None:
    answer = browse(erin).post(address("agent_new"), {"name": "Orders", "instructions": ""})
    agent = Agent.all_tenants.get(name="Orders")
    assert answer["Location"] == address("agent", agent_id=agent.public_id)
    page = browse(erin).get(answer["Location"]).content.decode()
    assert 'id="agent-state" data-state="unpublished"' in page
    assert "Draft, never published" in page


def test_two_agents_cannot_have_one_name(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    answer = browse(erin).post(address("agent_new"), {"name": "Reception", "instructions": ""})
    assert "An agent of this name exists already." in answer.content.decode()


def test_publishing_shows_what_changes_and_makes_a_revision(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(erin)
    answer = save(browser, published, voice="cedar", instructions="New words.", publish="1")
    publish_url = address("agent_publish", agent_id=published.public_id)
    assert answer["Location"] == publish_url
    page = browser.get(publish_url)
    assert {change.name for change in page.context["changes"]} == {"voice", "instructions"}
    version = page.context["form"].initial["draft_version"]
    browser.post(publish_url, {"draft_version": version, "note": "friendlier"})
    revision = AgentRevision.all_tenants.get(agent=published, number=2)
    assert (revision.voice, revision.note, revision.published_by) == ("cedar", "friendlier", erin)
    page = browser.get(address("agent", agent_id=published.public_id)).content.decode()
    assert 'id="agent-state" data-state="published"' in page
    assert "Revision 2 answers calls; the draft is the same" in page


def test_values_that_cannot_hold_together_are_not_published(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(erin)
    save(browser, published, audio_format="pcm16k")
    url = address("agent_publish", agent_id=published.public_id)
    version = browser.get(url).context["form"].initial["draft_version"]
    answer = browser.post(url, {"draft_version": version, "note": ""})
    assert "PCM at 16 kHz is known to the beta dialect only." in answer.content.decode()
    assert AgentRevision.all_tenants.filter(agent=published).count() == 1


def test_two_people_who_edit_at_once_lose_nothing(
    published: Agent, erin: User, bob: User, browse: Callable[[User], Client]
) -> None:
    erins, bobs = browse(erin), browse(bob)
    hers = sent(published, voice="cedar")
    his = sent(published, instructions="Bob's prompt.")
    url = address("agent", agent_id=published.public_id)
    assert bobs.post(url, his).status_code == 302

    answer = erins.post(url, hers)
    assert answer.status_code == 409
    page = answer.content.decode()
    assert 'id="conflict"' in page
    assert "bob@acme.example saved it after you opened this page." in page
    assert 'value="cedar"' in page
    named = {change.name for change in answer.context["conflict_changes"]}
    assert named == {"voice", "instructions"}
    assert reread(published).voice is None

    # Having seen it, she may save hers over his.
    again = hers | {"draft_version": answer.context["form"]["draft_version"].value()}
    assert erins.post(url, again).status_code == 302
    assert reread(published).voice == "cedar"


def test_a_draft_that_changed_while_it_was_looked_at_is_not_published(
    published: Agent, erin: User, bob: User, browse: Callable[[User], Client]
) -> None:
    url = address("agent_publish", agent_id=published.public_id)
    version = browse(erin).get(url).context["form"].initial["draft_version"]
    save(browse(bob), published, voice="cedar")
    answer = browse(erin).post(url, {"draft_version": version, "note": ""})
    assert answer.status_code == 409
    assert "The draft was changed while you looked at it" in answer.content.decode()
    assert AgentRevision.all_tenants.filter(agent=published).count() == 1


def test_an_old_revision_can_answer_again_and_the_draft_stays(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(erin)
    save(browser, published, voice="cedar")
    url = address("agent_publish", agent_id=published.public_id)
    browser.post(url, {"draft_version": reread(published).draft_version, "note": "second"})
    browser.post(address("agent_roll_back", agent_id=published.public_id, number=1))
    newest = reread(published).published
    assert newest is not None
    assert (newest.number, newest.voice) == (3, None)
    assert reread(published).voice == "cedar"
    history = browser.get(address("agent_history", agent_id=published.public_id)).content.decode()
    assert history.count("data-revision") == 3


def test_a_revision_can_be_put_into_the_draft(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(erin)
    save(browser, published, voice="cedar", instructions="Something else.")
    browser.post(address("agent_take", agent_id=published.public_id, number=1))
    draft = reread(published)
    assert (draft.voice, draft.instructions) == (None, "You are the reception of Acme Dental.")
    assert AgentRevision.all_tenants.filter(agent=published).count() == 1


def test_a_viewer_reads_and_cannot_type(
    published: Agent, victor: User, browse: Callable[[User], Client]
) -> None:
    page = browse(victor).get(address("agent", agent_id=published.public_id)).content.decode()
    assert "Save draft" not in page
    assert "To change it, your role has to be editor or higher." in page
    assert "disabled" in page


def test_further_session_fields_are_typed_as_json(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(erin)
    url = address("agent", agent_id=published.public_id)
    row = browser.get(url).context["form"].row("session_extra")
    assert (row.is_here, row.inherited_text) == (False, "none")
    save(browser, published, session_extra='{"truncation": "disabled"}')
    assert reread(published).session_extra == {"truncation": "disabled"}
    page = browser.get(url)
    assert page.context["form"].row("session_extra").is_here
    assert "&quot;truncation&quot;: &quot;disabled&quot;" in page.content.decode()
    for wrong, words in {
        '{"model": "x"}': "cannot be given here",
        "[1]": "JSON object",
        "{": "valid JSON",
    }.items():
        answer = browser.post(url, sent(published, session_extra=wrong))
        assert words in answer.context["form"].errors["session_extra"][0]
    assert reread(published).session_extra == {"truncation": "disabled"}
    save(browser, published, session_extra="")
    assert reread(published).session_extra is None
