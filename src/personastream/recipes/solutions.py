"""Ways to solve a problem: by reasoning, or by a program that is run. Each gives one solution with its answer."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import NamedTuple

from personastream.core.answers import ANSWER_CHARACTERS_MAX, final_answer
from personastream.errors import ConfigError, RowError
from personastream.ports import Ask
from personastream.recipes.prompting import Prompted, scalar_values
from personastream.records import Completion, Row
from personastream.sandbox.programs import Programs

_FENCED = re.compile(
    r"^[ \t]*```[ \t]*(?:python3?|py)?[ \t]*\n(.*?)^[ \t]*```[ \t]*$", re.MULTILINE | re.DOTALL | re.IGNORECASE
)


class Solution(NamedTuple):
    """One solution: where it came from, its answer, or the `problem` for which it has none, in words in `detail`.

    `output` is what its program printed. Without a good reply `completion` is None and `lost` tells of the last one.
    """

    method: str
    provider: str
    completion: Completion | None
    answer: str = ""
    problem: str = ""
    detail: str = ""
    output: str = ""
    lost: RowError | None = None


class Wanted(NamedTuple):
    """A solution to ask for: by which method, of which provider ("" for any)."""

    method: str
    provider: str


def wanted(key: str, text: str) -> Wanted:
    """`chain_of_thought`, or `program_of_thought @ name` for a certain provider. Raises `ConfigError`."""
    method, at, provider = (part.strip() for part in text.partition("@"))
    if method not in METHODS or (at and not provider):
        hint = f"Write {' or '.join(METHODS)}, and @ with a provider's name behind it if a certain one is to be asked."
        raise ConfigError(f"{key} holds {text[:100]!r}", hint=hint)
    return Wanted(method, provider)


@dataclass
class Solver(Prompted, ABC):
    """Asks with one template. A reply in which no answer can be found breaks its contract."""

    def problem(self, completion: Completion) -> str | None:
        problem = super().problem(completion)
        return problem or (None if self.found(completion.text) else "contract")

    @abstractmethod
    def found(self, text: str) -> str:
        """What there is to work with in a reply; "" if there is nothing."""

    @abstractmethod
    async def solve(self, row: Row, problem: str, provider: str, place: int, ask: Ask) -> Solution:
        """A solution, good or bad. `place` tells it from others of the same row. Raises `RowError`."""

    async def completion(self, row: Row, problem: str, provider: str, place: int, ask: Ask) -> Completion:
        """A reply that has something to work with; each place has a seed of its own."""
        request = self._template.render(problem)._replace(provider=provider)
        return await self.reply(row, request, ask, place, seeded=place > 0 or self.seed is not None)


@dataclass
class ChainOfThought(Solver):
    """Solves by reasoning; the answer is the one that the reply ends in."""

    @property
    def demand(self) -> str:
        return "end in a line with the answer"

    def found(self, text: str) -> str:
        return final_answer(text)

    async def solve(self, row: Row, problem: str, provider: str, place: int, ask: Ask) -> Solution:
        completion = await self.completion(row, problem, provider, place, ask)
        return Solution("chain_of_thought", provider, completion, scalar_values(self.found(completion.text)))


@dataclass
class ProgramOfThought(Solver):
    """Solves by a program, run in confinement; the answer is the last line that it prints."""

    programs: Programs = field(default_factory=Programs)

    @property
    def demand(self) -> str:
        return "hold a Python program in a fenced block"

    def found(self, text: str) -> str:
        blocks: list[str] = _FENCED.findall(text)
        return blocks[-1] if blocks and blocks[-1].strip() else ""

    async def solve(self, row: Row, problem: str, provider: str, place: int, ask: Ask) -> Solution:
        completion = await self.completion(row, problem, provider, place, ask)
        ran = await self.programs.run(self.found(completion.text))
        solution = Solution("program_of_thought", provider, completion, output=scalar_values(ran.output))
        if ran.problem:
            return solution._replace(problem=ran.problem, detail=scalar_values(ran.detail))
        answer = _last_line(solution.output)
        if not 0 < len(answer) <= ANSWER_CHARACTERS_MAX:
            return solution._replace(problem="program_output", detail="the last line that it prints is no answer")
        return solution._replace(answer=answer)


METHODS = {"chain_of_thought": ChainOfThought, "program_of_thought": ProgramOfThought}


def _last_line(output: str) -> str:
    line = next((line.strip() for line in reversed(output.split("\n")) if line.strip()), "")
    return final_answer(line) or line
