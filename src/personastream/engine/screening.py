"""Screening: what screens say of a row before it is asked for, and of its records, and what becomes of it then.

All texts that a person or a model wrote are judged, nested ones and kept columns included. Ids, and what recipes tell
of themselves in `meta`, are never touched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import anyio
import xxhash

from personastream.core.leaves import leaves, with_leaves
from personastream.core.own_words import OWN_KEYS, is_lineage
from personastream.errors import (
    ProviderDown,
    ProviderRejected,
    QuotaSpent,
    RequestsRefused,
    RowError,
    ScreenedOut,
    Unscreened,
)
from personastream.ports import Ask, Judgement, Screen
from personastream.records import Row

UNSCREENED, NOT_SAMPLED = "unscreened", "not_sampled"
"""What `meta.screens` says of a record that a screen has not judged: it could not, or was to judge a share only."""
NO_JUDGEMENT = (RowError, ProviderDown, ProviderRejected, QuotaSpent, RequestsRefused)
"""What an open screen takes for silence. Each speaks of the provider that the screen itself has asked."""

Marks = dict[str, list[str] | str]


@dataclass(slots=True)
class Screening:
    """All screens of a run, in order. Each sees what those before it have left of a text."""

    screens: Sequence[Screen]
    _at_rows: list[Screen] = field(init=False)
    _at_replies: list[Screen] = field(init=False)

    def __post_init__(self) -> None:
        self._at_rows = [screen for screen in self.screens if screen.on != "reply"]
        self._at_replies = [screen for screen in self.screens if screen.on != "row"]

    async def row(self, row: Row, ask: Ask) -> tuple[Row, Marks]:
        """The row as it may be asked for, and what is to be said of its records. Raises `ScreenedOut`, `RowError`."""
        marks: Marks = {}
        for screen in self._at_rows:
            if _sampled(screen, row.id, marks):
                written = [row.text, _foreign(row.origin)]
                changed = await _judged(screen, written, "", ask, marks)
                if changed:
                    origin = _with(row.origin, changed)
                    row = row._replace(text=changed.get(row.text, row.text), origin=origin)
        return row, marks

    async def records(
        self, row: Row, records: Sequence[dict[str, object]], marks: Marks, ask: Ask
    ) -> Sequence[dict[str, object]]:
        """The records as they may be delivered, marked where screens have something to say. Raises like `row`."""
        for screen in self._at_replies:
            if _sampled(screen, row.id, marks):
                model_only = getattr(screen, "MODEL_ONLY", False)
                known = row.text if screen.on == "both" else ""
                written = [_replied(each, row.text) if model_only else _written(each) for each in records]
                changed = await _judged(screen, written, known, ask, marks)
                if changed:
                    records = [_redacted(record, changed) for record in records]
        return [{**record, "meta": {**_meta(record), "screens": marks}} for record in records] if marks else records


def _sampled(screen: Screen, identity: str, marks: Marks) -> bool:
    """Whether the screen is to judge this row: drawn by its id, so that row and reply, and every sitting, agree."""
    share: float = getattr(screen, "sample", 1.0)
    if share >= 1.0 or xxhash.xxh3_64_intdigest(f"{screen.name} {identity}".encode()) < share * 2**64:
        return True
    marks[screen.name] = NOT_SAMPLED
    return False


async def _judged(screen: Screen, written: object, known: str, ask: Ask, marks: Marks) -> Mapping[str, str]:
    """What is to stand in place of texts in `written`, by text. Those equal to `known` have been judged already."""
    texts = [text for text in dict.fromkeys(leaves(written)) if text and text != known]
    judgements = await _asked(screen, texts, ask) if texts else []
    if judgements is None:
        marks[screen.name] = UNSCREENED
        return {}
    if len(judgements) != len(texts):
        raise ValueError(f"{screen.name} has judged {len(judgements)} of {len(texts)} texts")
    found = [(text, each) for text, each in zip(texts, judgements, strict=True) if each.reasons]
    if not found:
        return {}
    reasons = list(dict.fromkeys(reason for _, each in found for reason in each.reasons))
    if screen.policy == "flag":
        before = marks.get(screen.name)
        if before != UNSCREENED:
            marks[screen.name] = list(dict.fromkeys([*(before if isinstance(before, list) else []), *reasons]))
        return {}
    redacted = {text: each.redacted for text, each in found if each.redacted is not None}
    if screen.policy == "drop" or len(redacted) < len(found):
        raise ScreenedOut(reasons[0] if reasons[0] == screen.name else f"{screen.name}_{reasons[0]}")
    return redacted


async def _asked(screen: Screen, texts: Sequence[str], ask: Ask) -> Sequence[Judgement] | None:
    """What the screen says; None if it is unavailable and the record is to go out all the same.

    Otherwise a service that is down holds the row up, as any outage does, and one that cannot judge ends it.
    """
    if getattr(screen, "unavailable", "closed") == "closed":
        try:
            return await screen(texts, ask)
        except RowError as error:  # without what the service said: that is no reply to the row
            raise Unscreened(f"{screen.name} cannot judge it: {error.message}", reason=UNSCREENED) from error
    with anyio.move_on_after(getattr(screen, "patience_s", None)):
        try:
            return await screen(texts, ask)
        except NO_JUDGEMENT:
            return None
    return None


def _written(record: Mapping[str, object]) -> list[object]:
    """What others than the program wrote in a record."""
    own = [value for key, value in record.items() if key not in OWN_KEYS]
    return [*own, _foreign(_origin(record))]


def _replied(record: Mapping[str, object], text: str) -> list[object]:
    """What the model wrote in a record, less what it quotes of the row's text."""
    quoted = text.strip().rstrip(".")
    own = [value for key, value in record.items() if key not in OWN_KEYS]
    return [leaf.replace(quoted, " ") if quoted else leaf for leaf in leaves(own)]


def _redacted(record: Mapping[str, object], changed: Mapping[str, str]) -> dict[str, object]:
    fresh = {key: value if key in OWN_KEYS else with_leaves(value, changed) for key, value in record.items()}
    if origin := _origin(record):
        fresh["meta"] = {**_meta(record), "origin": _with(origin, changed)}
    return fresh


def _foreign(origin: Mapping[str, object]) -> list[object]:
    """The kept columns that are no lineage."""
    return [value for name, value in origin.items() if not is_lineage(name)]


def _with(origin: Mapping[str, object], changed: Mapping[str, str]) -> dict[str, object]:
    return {name: value if is_lineage(name) else with_leaves(value, changed) for name, value in origin.items()}


def _meta(record: Mapping[str, object]) -> Mapping[str, object]:
    meta = record.get("meta")
    return meta if isinstance(meta, Mapping) else {}


def _origin(record: Mapping[str, object]) -> Mapping[str, object]:
    origin = _meta(record).get("origin")
    return origin if isinstance(origin, Mapping) else {}
