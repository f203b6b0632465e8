"""What is told beyond the process is printable, bounded, and holds no secret."""

import math
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.serve.plain import TEXT_CHARACTERS_MAX, Secrets, escaped, plain, words

CANARY = "canary-5f2c9d17e4b8"
LIKE_KEYS = ["sk-" + "a1B2" * 8, "Bearer abcdefgh12345", "ghp_" + "x" * 36, "basic dXNlcjpwYXNzd29yZA=="]


@given(st.text(alphabet=st.characters()))
def test_nothing_can_move_the_cursor_or_forge_a_line(text: str) -> None:
    assert escaped(text).isprintable()


def test_characters_that_are_not_printable_are_spelt_out() -> None:
    assert escaped("a\n\x1b[31m\u202e\ud800é") == "a\\n\\x1b[31m\\u202e\\ud800é"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(alphabet=st.characters()) | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
        max_leaves=12,
    )
)
def test_whatever_is_told_becomes_json(value: object) -> None:
    orjson.dumps(plain(value, Secrets()))


def test_what_is_long_or_deep_is_cut() -> None:
    assert words("x" * 1000, Secrets()) == "x" * TEXT_CHARACTERS_MAX + "… (500 more)"
    assert len(plain(list(range(1000)), Secrets())) == 32  # type: ignore[arg-type]
    deep: object = "end"
    for _ in range(100):
        deep = [deep]
    assert len(orjson.dumps(plain(deep, Secrets()))) < 600
    assert plain(10**30, Secrets()) == "1" + "0" * 30
    assert orjson.dumps(plain(math.nan, Secrets())) == b"null"


@pytest.mark.parametrize("secret", LIKE_KEYS)
def test_what_looks_like_a_key_is_struck_out(secret: str) -> None:
    told = words(f"the server said {secret}, twice: {secret}", Secrets())
    assert secret not in told
    assert secret.partition(" ")[2] not in told or " " not in secret
    assert told.startswith("the server said ")


def test_known_secrets_are_struck_out_wherever_they_stand() -> None:
    secrets = Secrets()
    secrets.add(CANARY, CANARY[:12], "EMPTY")
    assert plain({CANARY: [f"{CANARY}{CANARY}", {"a": CANARY}]}, secrets) == {
        "[secret]": ["[secret][secret]", {"a": "[secret]"}]
    }
    assert words("an EMPTY line", secrets) == "an EMPTY line"
    assert CANARY[:6] not in words("x" * (TEXT_CHARACTERS_MAX - 5) + CANARY, secrets)


def test_the_secrets_of_the_surroundings_are_known(tmp_path: Path) -> None:
    (tmp_path / "openai").write_text(CANARY + "\n")
    (tmp_path / "folder").mkdir()
    secrets = Secrets()
    secrets.add_surroundings(
        {"VLLM_API_KEY": "another-canary", "PATH": "/usr/bin:/bin", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    )
    assert secrets.strike(f"{CANARY} another-canary /usr/bin:/bin") == "[secret] [secret] /usr/bin:/bin"
    secrets.add_surroundings({"CREDENTIALS_DIRECTORY": str(tmp_path / "none")})
