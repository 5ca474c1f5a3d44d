"""What a failure may be called: test_failures.py shows what is made of it."""

from __future__ import annotations

import pytest

from sse_bridge import codes


@pytest.mark.parametrize("table", [codes.BY_STATUS, codes.CLOSER_WORDS, codes.WORDS])
def test_every_word_of_others_means_a_code_of_ours(table):
    assert set(table.values()) <= set(codes.CODES)


@pytest.mark.parametrize("table", [codes.CLOSER_WORDS, codes.WORDS, dict.fromkeys(codes.SPENT)])
def test_words_are_looked_for_without_case_and_punctuation(table):
    assert all(word.isalnum() and word == word.lower() for word in table)


def test_every_code_has_the_status_of_a_failure():
    assert all(400 <= status < 600 for status, _ in codes.CODES.values())


def test_a_word_is_not_hidden_by_a_shorter_one_that_means_something_else():
    words = list(codes.WORDS)
    for place, word in enumerate(words):
        for earlier in words[:place]:
            assert earlier not in word or codes.WORDS[earlier] == codes.WORDS[word], (earlier, word)
