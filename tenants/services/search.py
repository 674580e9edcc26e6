"""Search in what was said: the words of calls, and the calls that have the words of a query.

Words are folded here, in bodies and queries alike, and go to the databases as ASCII, so that SQLite
and PostgreSQL cannot see them differently, whatever their locales. A query finds calls with all of
its words; "words in quotes", and a word that holds several ("e-mail"), in that order; its last word
also as a beginning.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Final

from django.db.models import BooleanField, Func, QuerySet

from tenants.models import Call, SearchDocument, Tenant, TranscriptEntry

BODY_BYTES: Final = 500_000
QUERY_LENGTH: Final = 200
MOST_WORDS: Final = 12
LEAST_BEGINNING: Final = 2
"""Shorter beginnings of words would find nearly everything, slowly."""
SNIPPET_WORDS: Final = 14
BEFORE_HIT: Final = 5

# Chinese and Japanese put no spaces between words: there each sign is one.
_SIGN: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_MARKS: Final = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0e31-\u0e4e\u0900-\u0963"
_WORD: Final = re.compile(rf"[{_SIGN}]|(?:(?![{_SIGN}_])[\w{_MARKS}])+")
_PART: Final = re.compile(r'"([^"]*)"?|([^\s"]+)')


@dataclass(frozen=True)
class Hit:
    """A piece of a snippet; `found`: it is one of the words that were searched for."""

    text: str
    found: bool = False


@dataclass(frozen=True, kw_only=True)
class Query:
    """A query, folded: phrases of one or more words; is the last word also a beginning?"""

    phrases: tuple[tuple[str, ...], ...] = ()
    beginning: bool = False

    @cached_property
    def words(self) -> list[str]:
        return [word for phrase in self.phrases for word in phrase]

    @cached_property
    def most(self) -> int:
        """What an entry with all of it scores."""
        long = sum(len(phrase) > 1 for phrase in self.phrases)
        return len(set(self.words)) + MOST_WORDS * long

    def has(self, word: str) -> bool:
        """Whether a folded word is one of the query's."""
        words = self.words
        return word in words or (self.beginning and word.startswith(words[-1]))


@dataclass(frozen=True, kw_only=True)
class Snippet:
    """What was said around the first words that were found."""

    item_id: str
    speaker: str
    offset_ms: int
    pieces: tuple[Hit, ...] = field(default=())


@lru_cache(maxsize=20_000)
def fold(word: str) -> str:
    """A word without case, accents and anything that is no ASCII letter or digit; "" of nothing.

    Letters of other scripts are written as their numbers: a beginning stays a beginning.
    """
    plain = unicodedata.normalize("NFKD", word.casefold())
    letters = [sign for sign in plain if sign.isalnum()]
    return "".join(sign if sign.isascii() else f"x{ord(sign):x}q" for sign in letters)


def words_of(text: str) -> Iterator[tuple[int, int, str]]:
    """Begin, end and folded form of each word."""
    for found in _WORD.finditer(text):
        if word := fold(found[0]):
            yield found.start(), found.end(), word


def read_query(text: str) -> Query:
    """What somebody typed; no phrases when there is no word in it."""
    phrases: list[tuple[str, ...]] = []
    left, quoted = MOST_WORDS, False
    for found in _PART.finditer(unicodedata.normalize("NFC", text[:QUERY_LENGTH])):
        phrase = tuple(word for _, _, word in words_of(found[0]))[:left]
        if phrase:
            phrases.append(phrase)
            left, quoted = left - len(phrase), found[2] is None
    beginning = bool(phrases) and not quoted and len(phrases[-1][-1]) >= LEAST_BEGINNING
    return Query(phrases=tuple(phrases), beginning=beginning)


# --- the index ------------------------------------------------------------------------------------


def index(*calls: Call) -> None:
    """Make calls found by what was said in them; inside of the caller's transaction.

    Three statements, however many calls. In a call of nobody's nothing was said.
    """
    entries: dict[int, list[TranscriptEntry]] = defaultdict(list)
    said = TranscriptEntry.all_tenants.filter(call__in=calls).order_by("position", "pk")
    for entry in said.only("call_id", "text", "cut_text"):
        entries[entry.call_id].append(entry)
    bodies = {call: _body(entries[call.pk]) for call in calls}
    SearchDocument.all_tenants.filter(call__in=[c for c in calls if not bodies[c]]).delete()
    SearchDocument.all_tenants.bulk_create(
        [
            SearchDocument(
                tenant_id=call.tenant_id, call=call, started_at=call.started_at, body=body
            )
            for call, body in bodies.items()
            if body and call.tenant_id
        ],
        update_conflicts=True,
        unique_fields=["call"],
        update_fields=["started_at", "body"],
    )


def _body(entries: Iterable[TranscriptEntry]) -> str:
    """Folded words between single spaces, a space at both ends; whole words, as far as it goes."""
    words: list[str] = []
    length = 1
    for entry in entries:
        for _, _, word in words_of(unicodedata.normalize("NFC", f"{entry.text} {entry.cut_text}")):
            length += len(word) + 1
            if length > BODY_BYTES:
                return f" {' '.join(words)} "
            words.append(word)
    return f" {' '.join(words)} " if words else ""


class _HasWords(Func):
    """Whether a document has all words, through the database's own index over `body`."""

    output_field = BooleanField()
    conditional = True

    def __init__(self, key: str, query: Query | None = None, **extra: Any) -> None:
        # Django copies expressions by calling this with what `extra` remembers.
        super().__init__(key, query=query, **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:
        column, values = compiler.compile(self.source_expressions[0])
        table = column.rsplit(".", 1)[0]
        query: Query = self.extra["query"]
        text = " & ".join(query.words) + (":*" if query.beginning else "")
        return f"{table}.\"vector\" @@ to_tsquery('simple', %s)", [*values, text]

    def as_sqlite(  # type: ignore[override]  # Django's own hands on text only
        self, compiler: Any, connection: Any, **_: Any
    ) -> tuple[str, list[Any]]:
        column, values = compiler.compile(self.source_expressions[0])
        query: Query = self.extra["query"]
        text = " ".join(f'"{word}"' for word in query.words) + ("*" if query.beginning else "")
        found = "SELECT rowid FROM tenants_search_fts WHERE tenants_search_fts MATCH %s"
        return f"{column} IN ({found})", [*values, text]


def narrow(calls: QuerySet[Call], text: str, *, tenant: Tenant) -> QuerySet[Call]:
    """Those of the tenant's calls in which all of it was said; none when it has no word."""
    query = read_query(text)
    if not query.phrases:
        return calls.none()
    found = calls.filter(_HasWords("search_document__pk", query), search_document__tenant=tenant)
    for number, phrase in enumerate(query.phrases, 1):
        if len(phrase) > 1:
            # Positions in a tsvector end at 256 a word: the body itself says what follows what.
            ends = "" if query.beginning and number == len(query.phrases) else " "
            found = found.filter(search_document__body__contains=f" {' '.join(phrase)}{ends}")
    return found


# --- what was found -------------------------------------------------------------------------------


def snippets(calls: Iterable[Call], text: str) -> dict[int, Snippet]:
    """By the calls' keys: the entry with most of the words, cut around the first of them.

    One query, however many calls.
    """
    query = read_query(text)
    best: dict[int, tuple[int, TranscriptEntry]] = {}
    entries = TranscriptEntry.objects.filter(call__in=[call.pk for call in calls])
    entries = entries.only("call_id", "item_id", "speaker", "offset_ms", "text", "cut_text")
    for entry in entries.order_by("position", "pk") if query.phrases else ():
        before = best.get(entry.call_id, (0, entry))[0]
        if before < query.most and (score := _score(entry, query)) > before:
            best[entry.call_id] = (score, entry)
    return {key: _snippet(entry, query) for key, (_, entry) in best.items()}


def snippet(call: Call, text: str) -> Snippet | None:
    return snippets([call], text).get(call.pk)


def marked(text: str, query: Query) -> tuple[Hit, ...]:
    """A text in pieces, the words of the query marked."""
    text = unicodedata.normalize("NFC", text)
    pieces: list[Hit] = []
    last = 0
    for begin, end, word in words_of(text):
        if query.words and query.has(word):
            if begin > last:
                pieces.append(Hit(text[last:begin]))
            pieces.append(Hit(text[begin:end], found=True))
            last = end
    return (*pieces, Hit(text[last:])) if last < len(text) else tuple(pieces)


def _score(entry: TranscriptEntry, query: Query) -> int:
    """How many different words of the query are in it; whole phrases count more."""
    said = [word for _, _, word in words_of(_said(entry))]
    body = f" {' '.join(said)} "
    whole = sum(f" {' '.join(phrase)}" in body for phrase in query.phrases if len(phrase) > 1)
    found = {word if word in query.words else "" for word in said if query.has(word)}
    return len(found) + MOST_WORDS * whole


def _snippet(entry: TranscriptEntry, query: Query) -> Snippet:
    text = _said(entry)
    spans = list(words_of(text))
    first = next(number for number, (_, _, word) in enumerate(spans) if query.has(word))
    begin = max(0, min(first - BEFORE_HIT, len(spans) - SNIPPET_WORDS))
    end = begin + SNIPPET_WORDS
    cut = text[spans[begin][0] if begin else 0 : spans[end - 1][1] if end < len(spans) else None]
    pieces = marked(cut, query)
    return Snippet(
        item_id=entry.item_id,
        speaker=entry.speaker,
        offset_ms=entry.offset_ms,
        pieces=(
            *((Hit("… "),) if begin else ()),
            *pieces,
            *((Hit(" …"),) if end < len(spans) else ()),
        ),
    )


def _said(entry: TranscriptEntry) -> str:
    return unicodedata.normalize("NFC", f"{entry.text} {entry.cut_text}".strip())
