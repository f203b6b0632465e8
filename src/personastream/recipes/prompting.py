"""What recipes with a template share: asking until a reply keeps its contract, seeds, what a record says of a reply."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from time import gmtime, strftime, time
from typing import ClassVar, NamedTuple

from xxhash import xxh3_64_intdigest

from personastream.core.template import Template, digest_of
from personastream.errors import RowError
from personastream.ports import Ask
from personastream.recipes.lineage import identity_of
from personastream.recipes.template_files import load_template
from personastream.records import Completion, Request, Row
from personastream.settings import setting

_ASKED_AGAIN = frozenset({"empty_content", "contract"})
_TOKENS_MAX = 131_072
_SEED_MAX = 2**31 - 1  # the widest range that every server takes


class Demand(NamedTuple):
    """What one reply is held to: `problem` tells what is wrong with it, `words` say what it must do."""

    problem: Callable[[Completion], str | None]
    words: str


@dataclass
class Prompted:
    """A recipe over one template; `SLOTS` are the slots that it fills, `MAY_FILL` those that may be missing.

    Its fields are settings of all such recipes.
    """

    SLOTS: ClassVar[tuple[str, ...]] = ()
    MAY_FILL: ClassVar[tuple[str, ...]] = ()

    template: str = setting(
        "The prompt: a shipped template's name, or the path of your own .toml file.",
        path=True,
        identity=False,  # where it lies may change; what it says, `fingerprint`, may not
    )
    reasks_max: int = setting(
        "How often to ask again for a reply that is empty or breaks the template's contract.",
        default=2,
        minimum=0,
        maximum=10,
        identity=False,
    )
    temperature: float | None = setting(
        "Sampling temperature, in place of the template's.", default=None, minimum=0, maximum=2
    )
    max_tokens: int | None = setting(
        "Longest reply in tokens, in place of the template's.", default=None, minimum=1, maximum=_TOKENS_MAX
    )
    seed: int | None = setting(
        "Sampling seed. Several samples, and repeated asks, get seeds of their own, derived from it and the row.",
        default=None,
        minimum=0,
        maximum=_SEED_MAX,
    )
    _template: Template = field(init=False, repr=False)
    _second: int = field(init=False, repr=False, default=-1)
    _created: str = field(init=False, repr=False, default="")

    def __post_init__(self) -> None:
        template = load_template(self.template, self.SLOTS, self.MAY_FILL)
        given = {"temperature": self.temperature, "max_tokens": self.max_tokens, "seed": self.seed}
        overrides = {key: value for key, value in given.items() if value is not None}
        self._template = replace(template, parameters={**template.parameters, **overrides})

    @property
    def fingerprint(self) -> str:
        """The template's name and content hash, for the manifest and every record."""
        return self._template.fingerprint

    @property
    def contract(self) -> str:
        """What replies must be like, as a hash: it may be mended during a run, see `personastream reparse`."""
        return digest_of(self._template.contract.terms)

    @property
    def parameters(self) -> Mapping[str, object]:
        """The sampling parameters in effect: the template's under this recipe's overrides."""
        return self._template.parameters

    @property
    def demand(self) -> str:
        """What a reply must do, in words."""
        return self._template.contract.demand

    def problem(self, completion: Completion) -> str | None:
        """Why a completion cannot be delivered, if it cannot: see `Contract.problem`."""
        return self._template.contract.problem(completion.text, completion.finish_reason)

    async def reply(
        self,
        row: Row,
        request: Request,
        ask: Ask,
        sample: int = 0,
        *,
        seeded: bool = False,
        demand: Demand | None = None,
    ) -> Completion:
        """A completion that meets the `demand`: without one, that of this recipe's template.

        The first ask has a seed of its own if it is to be `seeded`. Raises `RowError` when asking again does not help.
        """
        demand = demand or Demand(self.problem, self.demand)
        completion = await ask(self._seeded(request, row, sample, 0) if seeded else request)
        asks = 1
        while problem := demand.problem(completion):
            again = self._seeded(request, row, sample, asks)
            if problem == "length" and asks == 1 and not completion.text.strip():
                again = _with_more_tokens(again)  # all of them went into reasoning
            elif problem not in _ASKED_AGAIN or asks > self.reasks_max:
                complaint = _complaint(problem, asks, request, demand)
                raise RowError(complaint, reason=problem, response=completion.body)
            completion = await ask(again)
            asks += 1
        return completion

    def _seeded(self, request: Request, row: Row, sample: int, asked: int) -> Request:
        """`request` under a seed of its own, so that no server's cache gives the same reply twice."""
        key = f"{self.seed or 0}:{identity_of(row)}:{sample}:{asked}"
        seed = xxh3_64_intdigest(key.encode()) & _SEED_MAX
        return request._replace(parameters={**request.parameters, "seed": seed})

    def meta(self, row: Row, *completions: Completion) -> dict[str, object]:
        """What a record says of the reply, or replies, that it was made of, and of the columns kept of its row."""
        last = completions[-1]
        input_tokens = sum([one.input_tokens for one in completions])
        output_tokens = sum([one.output_tokens for one in completions])
        meta: dict[str, object] = {
            "template": self._template.fingerprint,
            "model": scalar_values(last.model),
            "finish_reason": scalar_values(last.finish_reason),
            "usage": {"input_tokens": input_tokens, "output_tokens": output_tokens},
            "created": self._now(),
        }
        if row.licence:
            meta["licence"] = row.licence
        if row.origin:
            meta["origin"] = row.origin
        return meta

    def _now(self) -> str:
        """UTC to the second, formatted once a second."""
        second = int(time())
        if second != self._second:
            self._second, self._created = second, strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(second))
        return self._created


def _complaint(problem: str, asks: int, request: Request, demand: Demand) -> str:
    times = "once" if asks == 1 else f"{asks} times"
    return {
        "length": f"the reply was cut at max_tokens = {request.parameters.get('max_tokens')}",
        "refused": "the endpoint's content filter stopped the reply",
        "empty_content": f"asked {times}, the reply is empty",
        "contract": f"asked {times}, the reply does not {demand.words}",
    }[problem]


def _with_more_tokens(request: Request) -> Request:
    """`request` with room for a reply of twice the length."""
    tokens = request.parameters.get("max_tokens")
    most = min(_TOKENS_MAX, 2 * tokens) if isinstance(tokens, int) else _TOKENS_MAX
    return request._replace(parameters={**request.parameters, "max_tokens": most})


def scalar_values(text: str) -> str:
    """`text` as UTF-8 can hold it: the halves of a surrogate pair are joined, lone surrogates become U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
