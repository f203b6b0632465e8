"""Simulated messages with demands, answers that keep them, and dialogues: built from a stock of sentences. Pure.

One answer in 25 breaks a demand, as models do now and then.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from orjson import dumps

from personastream.core.constraints import KINDS, Constraint
from personastream.simulator.draws import draw

DIALOGUE = "Dialogue:"
"""The opening of templates that ask for one."""

WORDS_WITHOUT_DEMAND, CHARACTERS_PER_WORD = 140, 7
BROKEN_ONE_IN = 25
TURNS, TURNS_MAX = 6, 100

_DEMANDS = re.compile(r"<demands>\n(.*?)\n</demands>", re.DOTALL)
_TURNS = re.compile(r"\b(\d{1,3}) turns\b")
_MARKS = str.maketrans(dict.fromkeys('*"()[]'))
_LAYOUTS = ("paragraphs", "bullets", "numbered", "sections")


class Composer(Protocol):
    """Makes texts about a persona, chosen by a 64-bit number."""

    def compose(self, persona: str, number: int, bytes_wanted: float) -> str:
        """A text of some `bytes_wanted` bytes."""


def demands_in(instructions: str) -> str:
    """What stands in the demands block, if there is one."""
    found = _DEMANDS.findall(instructions)
    return found[-1] if found else ""


def turns_in(instructions: str) -> int:
    """How many turns of a dialogue are asked for."""
    found = _TURNS.search(instructions)
    return min(TURNS_MAX, int(found[1])) if found else TURNS


class DemandingStock:
    """Messages that end with the demands, word by word."""

    def __init__(self, stock: Composer, demands: str) -> None:
        self._stock = stock
        self._demands = " ".join(line.removeprefix("- ") for line in demands.split("\n"))

    def compose(self, persona: str, number: int, bytes_wanted: float) -> str:
        """As the stock does, and the demands."""
        return f"{self._stock.compose(persona, number, bytes_wanted)} {self._demands}"


class DialogueStock:
    """Dialogues of so many turns, one a line."""

    def __init__(self, stock: Composer, turns: int) -> None:
        self._stock = stock
        self._turns = turns

    def compose(self, persona: str, number: int, bytes_wanted: float) -> str:
        """Turns whose length together is about what is wanted."""
        size = bytes_wanted / self._turns
        said = [self._stock.compose(persona, draw(number, turn, 0), size) for turn in range(self._turns)]
        return "\n".join([DIALOGUE, *(f"{'AB'[turn % 2]}: {text}" for turn, text in enumerate(said))])


class LinesStock:
    """Replies with lines that begin as they must, for openings of which nothing else is known."""

    def __init__(self, stock: Composer, lines: Sequence[str], opening: str) -> None:
        self._stock = stock
        self._lines = lines if lines[0].startswith(opening) else (opening, *lines)

    def compose(self, persona: str, number: int, bytes_wanted: float) -> str:
        """The wanted length is shared out among the lines."""
        size = bytes_wanted / len(self._lines)
        texts = [self._stock.compose(persona, draw(number, place, 0), size) for place in range(len(self._lines))]
        return "\n".join([f"{line} {text}" for line, text in zip(self._lines, texts, strict=True)])


class AnswerStock:
    """Answers that keep constraints; a few of them break the last one."""

    def __init__(self, stock: Composer, constraints: Sequence[Constraint]) -> None:
        self._stock = stock
        self._constraints = constraints

    def compose(self, persona: str, number: int, bytes_wanted: float) -> str:
        """The length is what the constraints allow."""
        kept = self._constraints[:-1] if number % BROKEN_ONE_IN == 0 else self._constraints
        values = {one.kind: one.value for one in kept}
        return _answer(self._stock.compose("", number, 2_400), values, number)


def _answer(material: str, values: Mapping[str, str], number: int) -> str:
    """An answer that keeps constraints, given as values by kind, from sentences that know nothing of them."""
    if "script" in values:
        sentences = _in_script(values["script"], number)
    else:
        sentences = [f"{sentence}." for sentence in re.split(r"[.?!]\s*", material) if sentence.strip()]
    parts = _parts(sentences, values)
    additions = _additions(values)
    parts[-1] = f"{parts[-1].rstrip('.。')} {additions}." if additions else parts[-1]
    text = _laid_out(parts, values)
    if "ends" in values:
        text = f"{text} {values['ends']}"
    if "begins" in values:
        text = f"{values['begins']} {text[0].lower()}{text[1:]}"
    if "postscript" in values:
        text += "\n\nP.S. Ask me again soon."
    return _in_marks(text, values)


def _in_script(language: str, number: int) -> list[str]:
    sentences = _IN_SCRIPT[language]
    return [sentences[(number + place) % len(sentences)] for place in range(WORDS_WITHOUT_DEMAND // 8)]


def _parts(sentences: list[str], values: Mapping[str, str]) -> list[str]:
    """The sentences as so many parts, as long and of such words as the constraints allow."""
    absent = re.compile(rf"\b(?:{'|'.join(sorted(_unwanted(values)))})\b", re.IGNORECASE)
    sentences = [sentence for sentence in sentences if not absent.search(sentence)]
    count = int(next((values[kind] for kind in _LAYOUTS if kind in values), "1"))
    count = 2 if "two_answers" in values else count
    if "sentences_max" in values:
        return [" ".join(sentences[: int(values["sentences_max"]) - ("ends" in values)])]
    if "words_max" in values:
        words = (int(values["words_max"]) - 24) // count
        return [
            " ".join(sentences[place].translate(_MARKS).split()[:words]).rstrip(",:") + "." for place in range(count)
        ]
    wanted, parts = int(values.get("words_min", WORDS_WITHOUT_DEMAND)) + 20, [""] * count
    for place, sentence in enumerate(sentences * 4):
        if place >= count and sum(map(len, parts)) >= CHARACTERS_PER_WORD * wanted:
            break
        parts[place % count] = f"{parts[place % count]} {sentence}".strip()
    return parts


def _unwanted(values: Mapping[str, str]) -> set[str]:
    """Words that no sentence may bring along: the counted ones are added on purpose."""
    return {values.get("word_absent", "lantern"), *KINDS["keyword"].values}


def _additions(values: Mapping[str, str]) -> str:
    """Words that must be there, as the end of a sentence."""
    words = [f"with the {values['keyword']}"] if "keyword" in values else []
    words += (
        [f"and one {values['keyword_twice']} for each {values['keyword_twice']}"] if "keyword_twice" in values else []
    )
    words += ["on [date] at [place] for [name]"] if "placeholders" in values else []
    return " ".join([*words, *(["*slowly* and *surely* and *once*"] if "emphasis" in values else [])])


def _laid_out(parts: Sequence[str], values: Mapping[str, str]) -> str:
    if "bullets" in values:
        return "\n".join([f"- {part}" for part in parts])
    if "numbered" in values:
        return "\n".join([f"{place}. {part}" for place, part in enumerate(parts, 1)])
    if "sections" in values:
        return "\n\n".join([f"Part {place}\n{part}" for place, part in enumerate(parts, 1)])
    return ("\n******\n" if "two_answers" in values else "\n\n").join(parts)


def _in_marks(text: str, values: Mapping[str, str]) -> str:
    """What goes around or through the whole of it."""
    if "no_commas" in values:
        text = text.replace(",", "").replace("，", "")
    if "lower_case" in values:
        text = text.lower()
    if "upper_case" in values:
        text = text.upper()
    if "quoted" in values:
        text = '"{}"'.format(text.replace('"', "'"))
    return dumps({"answer": text}).decode() if "json" in values else text


_IN_SCRIPT: Mapping[str, Sequence[str]] = {
    "Chinese": (
        "先把手头的材料一件一件地记下来再决定下一步怎么走。",
        "老师傅常说慢工出细活这句话用在这里正合适。",
        "如果第一次没有成功就换一个人再试一遍。",
        "最要紧的是弄清楚谁会用到它以及什么时候用。",
    ),
    "Russian": (
        "Сначала запишите всё что у вас есть и только потом решайте.",
        "Обычно первая попытка выглядит верной но не всегда такова.",
        "Спросите соседа который делал это раньше и сравните записи.",
        "Если не получится вернитесь к самому началу и проверьте меру.",
    ),
    "Greek": (
        "Γράψτε πρώτα όλα όσα έχετε και μετά αποφασίστε.",
        "Η πρώτη προσπάθεια φαίνεται σωστή αλλά συχνά δεν είναι.",
        "Ρωτήστε κάποιον που το έχει κάνει πριν από εσάς.",
        "Αν δεν πετύχει γυρίστε στην αρχή και μετρήστε ξανά.",
    ),
    "Arabic": (
        "اكتب أولا كل ما لديك ثم قرر ما تفعله بعد ذلك.",
        "تبدو المحاولة الأولى صحيحة لكنها ليست كذلك دائما.",
        "اسأل من فعل هذا قبلك وقارن بين الدفاتر.",
        "إذا لم ينجح الأمر فارجع إلى البداية وقس من جديد.",
    ),
    "Korean": (
        "먼저 가지고 있는 것을 모두 적어 두고 나서 결정하세요.",
        "첫 번째 시도는 맞아 보이지만 늘 그런 것은 아닙니다.",
        "예전에 해 본 이웃에게 묻고 기록을 견주어 보세요.",
        "잘되지 않으면 처음으로 돌아가 다시 재어 보세요.",
    ),
    "Hindi": (
        "पहले जो कुछ पास है उसे लिख लें फिर तय करें।",
        "पहली कोशिश सही लगती है पर हमेशा होती नहीं।",
        "जिसने यह पहले किया है उससे पूछें और मिलान करें।",
        "काम न बने तो शुरू से फिर नाप कर देखें।",
    ),
}
