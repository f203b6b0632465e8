import math
import re
import statistics

from xxhash import xxh3_64_hexdigest

from personastream.samples import forms, personas


def test_the_same_seed_gives_the_same_personas_on_every_machine() -> None:
    assert personas(1, seed=1) == [
        "An inquisitive bicycle mechanic near Lusaka who likes to tell curious tourists what kerbs mean to a wheelchair"
    ]
    assert xxh3_64_hexdigest("\n".join(personas(2000)).encode()) == "cc8136e4b7dfc69a"


def test_a_series_can_be_continued_and_another_seed_is_another_series() -> None:
    series = personas(300, seed=5)
    assert personas(200, seed=5) + personas(100, seed=5, start=200) == series
    assert not set(series) & set(personas(300, seed=2**64 - 1))


def test_articles_agree_with_what_follows() -> None:
    english = (text for text in personas(20_000) if not text.startswith(("Un ", "Una ")))
    found = re.findall(r"\b([Aa]n?) (\w+)", "\n".join(english))
    before_vowels = {word for article, word in found if article.lower() == "a" and word[0].lower() in "aeiou"}
    before_consonants = {word for article, word in found if article.lower() == "an" and word[0].lower() not in "aeiou"}
    assert not before_vowels
    assert before_consonants <= {"honest", "heir", "hour"}
    assert len(found) > 15_000


def test_every_slot_is_filled_and_spacing_is_clean() -> None:
    for text in personas(10_000):
        assert not re.search(r"[{}|]|\s\s|^\s|\s$|\s[.,;]|\.\.|[.,;]{2}", text), text


def test_personas_hardly_ever_repeat_and_their_number_has_room_for_a_billion_rows() -> None:
    assert len(set(personas(20_000))) >= 19_998
    assert sum(math.prod(map(len, map(set, form.slots))) for form in set(forms())) > 1e12


def test_one_hash_suffices_to_choose_every_slot_evenly() -> None:
    for form in set(forms()):
        assert len(forms()) * math.prod(map(len, form.slots)) < 2**60


def test_lengths_and_scripts_are_those_of_personas_found_in_the_wild() -> None:
    texts = personas(20_000)
    spaced = [len(text.split()) for text in texts if " " in text]
    assert 13 <= statistics.median(spaced) <= 20
    assert max(spaced) <= 50
    other_scripts = sum(bool(re.search(r"[\u0600-\u06ff\u3040-\u30ff\u4e00-\u9fff]", text)) for text in texts)
    german_or_spanish = sum(bool(re.match(r"(Ein|Eine|Un|Una) ", text)) for text in texts)
    assert 0.01 <= other_scripts / len(texts) <= 0.05
    assert 0.01 <= german_or_spanish / len(texts) <= 0.05
