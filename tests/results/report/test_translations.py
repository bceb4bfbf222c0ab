"""Both languages of a report say the same."""

import re

import pytest

from skin_tune.results.report.markup import table, translated
from skin_tune.results.report.translations import WORDS


def test_both_languages_have_the_same_gaps_to_fill():
    for key, text in WORDS.items():
        english, korean = (set(re.findall(r"{(\w+)", each)) for each in text)
        assert english - korean <= {"count"}, key  # an English text may need to know how many it names
        assert korean <= english, key
        assert all(text), key


@pytest.mark.parametrize("key", [key for key, (english, _) in WORDS.items() if re.search(r"{\w+:", english)])
def test_one_is_singular_and_more_are_plural(key: str):
    names = re.findall(r"{(\w+)", WORDS[key][0])
    one, three = (translated(key, **dict.fromkeys(names, count)) for count in (1, 3))
    plurals = r"\b1 (trials|subjects|images|training images|hours|GPU-hours|seeds|epochs|runs)\b"
    assert not re.search(plurals, one)
    assert re.sub("1", "3", one) != three


def test_values_in_words_are_escaped_and_words_in_words_are_in_the_same_language():
    once = translated("opened_often", openings=("times", {"count": "<3"}))
    assert once.count("&lt;3") == 2
    assert "&lt;3번" in once
    assert "<td>&lt;b&gt;</td>" in table(["name"], [["<b>"]])
