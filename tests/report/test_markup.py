"""Nothing that was read becomes markup, an attribute, or a control character."""

import unicodedata
from html.parser import HTMLParser
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from personastream.report.page.markup import Markup, clean, joined, tag

HOSTILE = [
    "<script>alert(1)</script>", "</p><img src=x onerror=alert(1)>", "\" onclick=\"x", "' x='", "&lt;b&gt;", "a\0b",
    "\x1b[31mred\x1b]0;title\x07", "\u202ereversed\u2066", "\ud800 half", "]]>", "-->", "<!--", "\U000e0041tag",
]  # fmt: skip


@given(st.text(st.characters(codec=None)) | st.sampled_from(HOSTILE))
def test_text_comes_back_as_it_was_but_for_harm(text: str) -> None:
    element = tag("p", text, title=text)
    parsed = ElementTree.fromstring(element)
    assert len(parsed) == 0
    assert "".join(parsed.itertext()) == clean(text)
    seen: dict[str, str | None] = {}

    class Seen(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen.update(attrs)

    Seen().feed(element)
    assert seen == {"title": clean(text)}


@given(st.text(st.characters(codec=None)))
def test_what_is_clean_can_be_written_and_turns_nothing_round(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert not {unicodedata.bidirectional(character) for character in cleaned} & {
        "LRE",
        "RLE",
        "LRO",
        "RLO",
        "LRI",
        "RLI",
    }
    assert not [
        character
        for character in cleaned
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\t\n"
    ]


def test_markup_is_left_alone_and_the_rest_is_not() -> None:
    assert tag("b", Markup("<i>x</i>"), "<i>", 3, None, False, ["a", ["b"]]) == "<b><i>x</i>&lt;i&gt;3ab</b>"
    assert joined("a", tag("br"), "b") == "a<br>b"


def test_attributes_have_names_of_their_own() -> None:
    assert (
        tag("rect", class_="a", stroke_width=2, x=None, y=False, open=True)
        == '<rect class="a" stroke-width="2" open></rect>'
    )
