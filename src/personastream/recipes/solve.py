"""`solve`: problems into solutions, checked against one another, as in Persona Hub (arXiv 2406.20094, section 3)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from personastream.core.agreement import agreeing, is_held_out
from personastream.core.math_figures import HELD_OUT, NO_AGREEMENT, TRAIN
from personastream.core.template import digest_of
from personastream.errors import ConfigError, RowError
from personastream.ports import Ask
from personastream.recipes.equality import Equality, Judge, Judgement
from personastream.recipes.prompting import Prompted, scalar_values
from personastream.recipes.solutions import ChainOfThought, ProgramOfThought, Solution, Solver, Wanted, wanted
from personastream.records import Completion, Row
from personastream.sandbox.comparisons import Comparisons
from personastream.sandbox.interpreter import missing
from personastream.sandbox.programs import Programs
from personastream.sandbox.proof import prove_confinement
from personastream.settings import setting

CHAIN, PROGRAM = "chain_of_thought", "program_of_thought"
SOLUTIONS_MAX = 9


@dataclass
class Solve(Prompted):
    """Asks for solutions to a problem and delivers them in one record, with the answer on which they agree.

    Some problems are held out, to test on: those get `solutions`, the others `train_solutions`.
    """

    template: str = setting(
        "The prompt for `chain_of_thought`: `math_solution`, or the path of your own .toml file.",
        default="math_solution",
        path=True,
        identity=False,
    )
    program_template: str = setting(
        "The prompt for `program_of_thought`: `math_program`, or the path of your own .toml file.",
        default="math_program",
        path=True,
        identity=False,
    )
    solutions: list[str] = setting(
        "Solutions for a held-out problem: `chain_of_thought` or `program_of_thought`, each with ` @ name` behind it "
        "if the provider of that name is to be asked.",
        default_factory=lambda: [CHAIN, PROGRAM, CHAIN],
    )
    train_solutions: list[str] = setting("Solutions for the other problems.", default_factory=lambda: [CHAIN])
    held_out_share: float = setting(
        "Share of problems that are held out, drawn by the seed and the problem's own text.",
        default=0.02,
        minimum=0,
        maximum=1,
    )
    agree_min: int = setting("How many solutions must agree, where there are several.", default=2, minimum=2, maximum=9)
    disagreement: str = setting(
        "What to do with a problem whose solutions do not agree: deliver it (`agreed` is false), or a dead letter.",
        default="deliver",
        choices=("deliver", "dead"),
    )
    problem_opening: str = setting("Taken off where a problem begins with it.", default="Math problem:")
    judge_template: str = setting(
        "The prompt that asks a model about two answers on which algebra cannot decide: `math_judge`, or the path of "
        "your own .toml file. Without one they count as different.",
        default="",
        path=True,
        identity=False,
    )
    judge_provider: str = setting("Name of the provider that is to judge; any, if not given.", default="")
    program_packages: list[str] = setting(
        "Installed packages that programs may import beside Python's own.", default_factory=lambda: ["sympy", "mpmath"]
    )
    program_cpu_s: int = setting("Seconds of a processor for one program.", default=5, minimum=1, maximum=600)
    program_wall_s: float = setting("Seconds by the clock for one program.", default=10, minimum=1, maximum=3600)
    program_memory_mb: int = setting("Mebibytes of memory for one program.", default=512, minimum=128, maximum=65_536)
    programs_at_once: int = setting(
        "Programs that run at once; 0: half as many as there are processors.",
        default=0,
        minimum=0,
        maximum=1000,
        identity=False,
    )
    _solvers: dict[str, Solver] = field(init=False, repr=False)
    _held_out: list[Wanted] = field(init=False, repr=False)
    _train: list[Wanted] = field(init=False, repr=False)
    _equality: Equality = field(init=False, repr=False)
    _programs: Programs | None = field(init=False, repr=False)
    _opening: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._held_out = self._checked("solutions", self.solutions, for_some=self.held_out_share > 0)
        self._train = self._checked("train_solutions", self.train_solutions, for_some=self.held_out_share < 1)
        shared: dict[str, Any] = {
            "reasks_max": self.reasks_max,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
        }
        self._programs = self._confined()
        self._solvers = {CHAIN: ChainOfThought(self.template, **shared)}
        if self._programs is not None:
            self._solvers[PROGRAM] = ProgramOfThought(self.program_template, **shared, programs=self._programs)
        judge = Judge(self.judge_template, provider=self.judge_provider) if self.judge_template else None
        self._equality = Equality(Comparisons(), judge)
        words = r"\s+".join(map(re.escape, self.problem_opening.split()))
        self._opening = re.compile(rf"[\s*_#]*{words}[\s*_]*" if words else "")

    @property
    def fingerprint(self) -> str:
        """All prompts that may be sent."""
        judge = self._equality.judge
        return "+".join([each.fingerprint for each in (*self._solvers.values(), *([judge] if judge else []))])

    @property
    def contract(self) -> str:
        return digest_of([each.contract for each in self._solvers.values()])

    @property
    def providers_asked(self) -> set[str]:
        """Names of providers that there must be."""
        asked = {each.provider for each in (*self._held_out, *self._train)}
        return ({*asked, self.judge_provider} if self.judge_template else asked) - {""}

    @property
    def samples(self) -> float:
        """Solutions per problem, on the average."""
        return self.held_out_share * len(self._held_out) + (1 - self.held_out_share) * len(self._train)

    def close(self) -> None:
        """End what compares answers, and programs that still run."""
        self._equality.comparisons.close()
        if self._programs is not None:
            self._programs.close()

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        problem = self._opening.sub("", row.text, count=1).strip() if self._opening.match(row.text) else row.text
        held_out = is_held_out(problem, self.seed or 0, self.held_out_share)
        places = self._held_out if held_out else self._train
        solutions = [await self._solution(row, problem, place, places, ask) for place in range(len(places))]
        judgements: list[Judgement] = []
        agreed = await self._agreeing(row, solutions, judgements, ask)
        record = self._record(row, problem, HELD_OUT if held_out else TRAIN, solutions, agreed, judgements)
        if len(solutions) > 1 and not agreed and self.disagreement == "dead":
            told = [each.answer or each.problem for each in solutions]
            raise RowError(f"answers: {told}", reason=NO_AGREEMENT, response=orjson.dumps(record))
        return [record]

    async def _solution(self, row: Row, problem: str, place: int, places: Sequence[Wanted], ask: Ask) -> Solution:
        """A solution; one that did not come is one without an answer, unless it is the only one, or none comes."""
        method, provider = places[place]
        try:
            solution = await self._solvers[method].solve(row, problem, provider, place, ask)
        except RowError as error:
            if len(places) == 1:
                raise
            return Solution(method, provider, None, problem=error.reason, detail=error.message, lost=error)
        if solution.problem and len(places) == 1 and solution.completion is not None:
            raise RowError(solution.detail, reason=solution.problem, response=solution.completion.body)
        return solution

    async def _agreeing(
        self, row: Row, solutions: Sequence[Solution], judgements: list[Judgement], ask: Ask
    ) -> tuple[int, ...]:
        """Places of the solutions that agree; the only one agrees with itself."""
        answered = [place for place, solution in enumerate(solutions) if solution.answer]
        if len(solutions) == 1:
            return tuple(answered)
        if all(solution.completion is None for solution in solutions) and solutions[-1].lost is not None:
            raise solutions[-1].lost
        same: set[tuple[int, int]] = set()
        for at, one in enumerate(answered):
            for other in answered[at + 1 :]:
                is_same, judgement = await self._equality.same(row, solutions[one].answer, solutions[other].answer, ask)
                judgements += [judgement] if judgement else []
                same |= {(one, other)} if is_same else set()
        return agreeing(answered, lambda one, other: (one, other) in same, self.agree_min)

    def _record(
        self,
        row: Row,
        problem: str,
        split: str,
        solutions: Sequence[Solution],
        agreed: tuple[int, ...],
        judgements: Sequence[Judgement],
    ) -> dict[str, object]:
        best = min(agreed, key=lambda place: (solutions[place].method != CHAIN, place), default=None)
        text = "" if best is None else _text(solutions[best])
        given = [*(each.completion for each in solutions), *(each.completion for each in judgements)]
        replies = [completion for completion in given if completion is not None]
        chosen = replies[0] if best is None else solutions[best].completion
        return {
            f"input {self._template.block}": row.text,
            "synthesized text": text,
            "description": self._template.description,
            "synthetic": True,
            "problem": problem,
            "split": split,
            "answer": "" if best is None else solutions[best].answer,
            "agreed": bool(agreed) if len(solutions) > 1 else None,
            "agreement": {
                "asked": len(solutions),
                "answered": sum(bool(each.answer) for each in solutions),
                "agreeing": agreed,
                "share": len(agreed) / len(solutions),
            },
            "messages": _messages(problem, text) if text else [],
            "solutions": [_described(each, place in agreed) for place, each in enumerate(solutions)],
            "judgements": [{"answers": [each.first, each.second], "same": each.same} for each in judgements],
            "meta": self.meta(row, chosen or replies[0]) | {"template": self.fingerprint, "usage": _usage(replies)},
        }

    def _checked(self, key: str, texts: Sequence[str], *, for_some: bool) -> list[Wanted]:
        all_wanted = [wanted(key, text) for text in texts]
        if not for_some:
            return all_wanted
        if not 0 < len(texts) <= SOLUTIONS_MAX:
            raise ConfigError(f"{key} has {len(texts)} entries", hint=f"From 1 to {SOLUTIONS_MAX}.")
        if 1 < len(texts) < self.agree_min or (key == "solutions" and len(texts) < self.agree_min):
            hint = "Ask for more of them, or lower agree_min."
            raise ConfigError(f"{key}: {self.agree_min} of {len(texts)} cannot agree", hint=hint)
        return all_wanted

    def _confined(self) -> Programs | None:
        """What runs programs, proven to confine them; None if there will be none."""
        if not any(each.method == PROGRAM for each in (*self._held_out, *self._train)):
            return None
        if lacking := missing(self.program_packages):
            raise ConfigError(
                f"program_packages: {', '.join(lacking)} not installed",
                hint="pip install 'personastream[math]' brings sympy; or take them off the list.",
            )
        prove_confinement()
        programs = Programs(
            packages=tuple(self.program_packages),
            cpu_s=self.program_cpu_s,
            wall_s=self.program_wall_s,
            memory_bytes=self.program_memory_mb << 20,
        )
        programs.at_once = self.programs_at_once or programs.at_once
        return programs


def _text(solution: Solution) -> str:
    return scalar_values(solution.completion.text) if solution.completion else ""


def _messages(problem: str, solution: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": problem}, {"role": "assistant", "content": solution}]


def _described(solution: Solution, agrees: bool) -> dict[str, object]:
    completion, lost = solution.completion, solution.lost
    described: dict[str, object] = {
        "method": solution.method,
        "provider": solution.provider,
        "model": scalar_values(completion.model) if completion else "",
        "text": _text(solution) if lost is None else lost.response.decode("utf-8", "replace"),
        "answer": solution.answer,
        "agrees": agrees,
        "finish_reason": scalar_values(completion.finish_reason) if completion else "",
    }
    if solution.method == PROGRAM:
        described["output"] = solution.output
    if solution.problem:
        described |= {"problem": solution.problem, "detail": scalar_values(solution.detail)}
    return described


def _usage(replies: Sequence[Completion]) -> dict[str, int]:
    return {
        "input_tokens": sum(each.input_tokens for each in replies),
        "output_tokens": sum(each.output_tokens for each in replies),
    }
