"""The text of replies."""

import tomllib
from functools import cache
from importlib.resources import files
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.core.contract import Contract
from personastream.simulator import phrases_zh
from personastream.simulator.people import labels_in, people_for
from personastream.simulator.phrases import BANKS, PLAIN, STYLES, VALUES
from personastream.simulator.replies import Prompt, Writer, cut_to, shipped_openings, take_apart, token_count

PERSONA = "A retired dance teacher who keeps bees"
MENTION = "a retired dance teacher who keeps bees"
TEMPLATES = {
    entry.name: tomllib.loads(entry.read_text("utf-8"))
    for entry in (files("personastream") / "templates").iterdir()
    if entry.name.endswith(".toml")
}
CONTRACT_BY_OPENING = {
    name: Contract(opening, language=template["reply"].get("language", ""))
    for name, template in TEMPLATES.items()
    if (opening := template.get("reply", {}).get("opening"))
}
texts = st.text(st.characters(codec="utf-8"))


@cache
def writer(tokens_mean: int = 120, seed: int = 0) -> Writer:
    return Writer(seed, tokens_mean, shipped_openings())


def ask(name: str, persona: str = PERSONA) -> Prompt:
    template = TEMPLATES[name]
    user = template["user"].replace("{persona}", persona).replace("{text}", persona)
    return take_apart(template.get("system", ""), user.replace("{people}", "Person 1 (read)\nPerson 2 (dislike)"))


@pytest.mark.parametrize("name", CONTRACT_BY_OPENING)
def test_replies_keep_the_templates_contract(name: str) -> None:
    for key in range(50):
        text = writer().write(key, ask(name), None).text or ""
        assert text.startswith(CONTRACT_BY_OPENING[name].opening)
        assert CONTRACT_BY_OPENING[name].problem(text, "stop") is None


@pytest.mark.parametrize("name", ["math.toml", "trick_question.toml", "logical_reasoning.toml", "tool_code.toml"])
def test_replies_mention_the_persona(name: str) -> None:
    assert all(MENTION in (writer().write(key, ask(name), None).text or "") for key in range(50))


def test_a_reply_that_is_code_is_python() -> None:
    text = writer().write(4, ask("tool_code.toml"), None).text or ""
    code = text.removeprefix("```python\n").removesuffix("\n```")
    compile(code, "tool.py", "exec")


def test_each_line_that_asks_for_a_person_is_completed() -> None:
    prompt = ask("text_to_persona.toml")
    first, second = (writer().write(5, prompt, None).text or "").splitlines()
    assert first.startswith("Person 1 (read): A")
    assert second.startswith("Person 2 (dislike): A")
    assert len((writer().write(5, prompt, None, tokens_wanted=3).text or "").splitlines()) == 2
    assert labels_in(prompt.instructions) == ["read", "dislike"]
    assert len({person.persona for key in range(500) for person in people_for(["x"] * 4, key * 2**40 + 1)}) > 1990


def test_a_reply_to_the_npc_template_has_its_five_fields() -> None:
    text = writer().write(1, ask("npc.toml"), None).text or ""
    fields = [line.partition(":")[0] for line in text.split("\n")]
    assert fields == ["Name", "Race", "Class", "Background", "Interaction with Players"]


@pytest.mark.parametrize("name", CONTRACT_BY_OPENING)
def test_an_opening_that_the_persona_uses_does_not_confuse(name: str) -> None:
    persona = "Title: somebody whose Name: is a Math problem: and a User prompt: too"
    text = writer().write(3, ask(name, persona), None).text or ""
    assert text.startswith(CONTRACT_BY_OPENING[name].opening)


def test_without_a_known_opening_the_reply_is_plain() -> None:
    text = writer().write(1, Prompt(PERSONA, "Tell me a joke."), None).text or ""
    assert MENTION in text
    assert not text.startswith(shipped_openings())


def test_an_opening_of_ones_own_is_used() -> None:
    text = Writer(0, 50, ("Joke:",)).write(1, Prompt(PERSONA, 'Start with "Joke:".'), None).text or ""
    assert text.startswith("Joke: ")


def test_of_several_openings_the_first_named_is_used() -> None:
    text = writer().write(1, Prompt(PERSONA, "Start with Title: and never with Name: or Math problem:"), None).text
    assert (text or "").startswith("Title: ")


def test_the_same_request_gets_the_same_reply_and_others_differ() -> None:
    prompt = ask("math.toml")
    assert writer().write(7, prompt, None) == Writer(0, 120, shipped_openings()).write(7, prompt, None)
    assert len({writer().write(key, prompt, None).text for key in range(2000)}) == 2000
    assert writer(seed=1).write(7, prompt, None) != writer(seed=2).write(7, prompt, None)


@pytest.mark.parametrize("tokens_mean", [120, 600])
def test_the_mean_length_is_what_was_asked_for(tokens_mean: int) -> None:
    shared, prompt = writer(tokens_mean), ask("math.toml")
    lengths = [shared.write(key * 2_654_435_761, prompt, None).tokens for key in range(2000)]
    assert fmean(lengths) == pytest.approx(tokens_mean, rel=0.05)
    assert max(lengths) > 1.5 * tokens_mean > 1.5 * min(lengths)


def test_no_sentence_comes_twice_in_a_reply() -> None:
    for key in range(300):
        sentences = (writer(tokens_mean=600).write(key, ask("math.toml"), None).text or "").split(". ")
        assert len(set(sentences)) > 0.8 * len(sentences)  # the stock itself holds a few equal ones


@given(st.integers(1, 400), st.integers(0, 2**64 - 1))
def test_a_reply_is_cut_at_max_tokens(tokens_max: int, key: int) -> None:
    whole, reply = (writer().write(key, ask("math.toml"), limit) for limit in (None, tokens_max))
    assert reply.tokens == min(whole.tokens, tokens_max)
    assert reply.finish_reason == ("length" if whole.tokens > tokens_max else "stop")
    assert reply.text is not None
    assert token_count(reply.text) == reply.tokens
    assert (whole.text or "").startswith(reply.text)


@given(texts, st.integers(1, 50))
def test_a_cut_never_splits_a_character(text: str, tokens_max: int) -> None:
    assert text.startswith(cut_to(text, tokens_max))
    assert token_count(cut_to(text, tokens_max)) <= tokens_max


@given(texts, texts)
def test_any_persona_and_prompt_can_be_answered(persona: str, instructions: str) -> None:
    reply = writer().write(5, Prompt(persona, instructions), None)
    assert reply.text is not None
    assert token_count(reply.text) == reply.tokens


@given(texts, texts, texts)
def test_any_message_can_be_taken_apart(before: str, persona: str, after: str) -> None:
    take_apart(before, after)
    found = take_apart("", f"before\n<persona>\n{persona}\n</persona>\nafter")
    assert found.persona == persona
    assert found.instructions.replace("\n</persona>", "") == "before\n\n\nafter\n"
    assert take_apart("", f"before\n<text>\nabc {after.strip('<')}\n</text>\n").persona.startswith("abc ")


def test_a_persona_that_holds_the_closing_tag_stays_whole() -> None:
    persona = "x\n</persona>\nStart with Title:"
    assert take_apart("", f"Say Name:\n<persona>\n{persona}\n</persona>\n").persona == persona


def test_without_tags_the_end_of_the_message_is_the_persona() -> None:
    assert take_apart("", "y" * 1000 + " a nurse").persona.endswith(" a nurse")
    assert len(take_apart("", "y" * 1000).persona) == 200


@pytest.mark.parametrize(
    ("persona", "mention"),
    [
        ("The keeper of\n a lighthouse.", "the keeper of a lighthouse."),
        ("Ada Lovelace", "Ada Lovelace."),
        ("", "someone of whom nothing is said."),
        ("{persona} {0} %s", "{persona} {0} %s."),
        ("护士 in Nice", "护士 in Nice."),
        ("word " * 1000, "word word."),
        ("w" * 1000, "w" * 200),
    ],
)
def test_a_persona_is_mentioned_on_one_line_and_in_short(persona: str, mention: str) -> None:
    text = writer().write(1, Prompt(persona, ""), None).text or ""
    assert mention in text
    assert len(text) < 2000


def test_every_slot_of_every_phrase_is_known() -> None:
    chinese = phrases_zh.STYLES.values()
    for style in (*STYLES.values(), PLAIN, *chinese):
        known = dict.fromkeys([*(phrases_zh.BANKS if style in chinese else BANKS), "persona"], "x")
        for pattern in (*style.lead, *style.body, *style.close):
            pattern.format_map(known)
        assert {pattern.count("{persona}") for pattern in style.lead} in ({0}, {1})
        assert not any("{persona}" in pattern for pattern in (*style.body, *style.close))


def test_every_value_has_parts() -> None:
    assert all(words for parts in VALUES.values() for words in parts)
