"""What bench/pages makes up is what the product would have stored."""

from __future__ import annotations

from collections import Counter

from bench.pages.words import COMMON, RARE, SENTENCES, sentences
from tenants.services.search import words_of


def test_the_index_of_made_up_sentences_is_what_the_product_folds() -> None:
    made = sentences(seed=1)
    assert len(made) == SENTENCES
    for sentence in made[:500]:
        assert [word for _, _, word in words_of(sentence.text)] == sentence.folded.split()


def test_words_are_as_frequent_as_in_speech() -> None:
    made = sentences(seed=1)
    said = Counter(word for sentence in made for word in sentence.folded.split())
    assert said.most_common(1)[0][0] == COMMON
    assert said[RARE] == 1
    # Of twenty sentences in a call hardly one has none with it.
    assert sum(COMMON in sentence.folded.split() for sentence in made) > 0.3 * SENTENCES


def test_the_same_seed_gives_the_same_words() -> None:
    assert sentences(seed=2)[:50] == sentences(seed=2)[:50]
