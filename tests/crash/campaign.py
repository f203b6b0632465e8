"""Many runs at once, each killed and resumed, until there were enough runs or kills; and the figures of all."""

import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from statistics import median

from tests.crash.jobs import VARIANTS, Variant, write_job
from tests.crash.lives import LOST_PER_KILL_MAX, Story, Undisturbed, live_and_be_killed, live_undisturbed
from tests.support.simulated import Simulated, simulated

WORKERS = 2
INPUTS = 3
"""Sets of shards for each variant. Each is run once undisturbed, then often killed."""


@dataclass(slots=True)
class Campaign:
    """The stories so far. `enough` says when to stop."""

    seed: int
    enough: Callable[[Sequence[Story]], bool]
    inputs: int = INPUTS
    kills_max: int = 5
    variants: Sequence[Variant] = VARIANTS
    on_story: Callable[[Story], None] = lambda _: None
    stories: list[Story] = field(default_factory=list)
    _undisturbed: dict[tuple[Variant, int], Undisturbed] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, workers: int = WORKERS) -> None:
        """Work until there is enough. Raises what a worker raises. The files of runs gone wrong are kept."""
        folder = Path(tempfile.mkdtemp(prefix="personastream-crash-"))
        with ThreadPoolExecutor(workers) as pool:
            for done in [pool.submit(self._work, folder / str(worker)) for worker in range(workers)]:
                done.result()
        if not any(story.problems for story in self.stories):
            shutil.rmtree(folder)

    def _work(self, folder: Path) -> None:
        with ExitStack() as stack:
            servers = {v: stack.enter_context(simulated(*v.simulator_options)) for v in self.variants}
            while not self.enough(self.stories):
                number = next(self._numbers)
                variant = self.variants[number % len(self.variants)]
                story = self._tell(folder / str(number), number, variant, servers[variant])
                if story.kills:
                    with self._lock:
                        self.stories.append(story)
                        self.on_story(story)
                if not story.problems:
                    shutil.rmtree(folder / str(number))

    def _tell(self, folder: Path, number: int, variant: Variant, server: Simulated) -> Story:
        inputs = self.seed * self.inputs + number // len(self.variants) % self.inputs
        config = write_job(folder / "killed", variant, server.base_url, inputs)
        like = self._undisturbed.get((variant, inputs))
        if like is None:
            like = live_undisturbed(write_job(folder / "undisturbed", variant, server.base_url, inputs))
            self._undisturbed[variant, inputs] = like
        random = Random(self.seed * 1_000_000 + number)
        return live_and_be_killed(config, variant, random, random.randint(1, self.kills_max), like, server)


def figures(stories: Sequence[Story]) -> list[str]:
    """What happened, in lines for people."""
    kills = sum(story.kills for story in stories)
    lost = [lost for story in stories for lost in story.lost]
    hit = Counter(state for story in stories for state in story.hit)
    bad = [story for story in stories if story.problems]
    return [
        f"runs      {len(stories):>6,}  killed {kills:,} times, "
        f"{min((s.kills for s in stories), default=0)} to {max((s.kills for s in stories), default=0)} times each",
        f"repeats   {median(lost) if lost else 0:>6g}  requests a kill, median of {len(lost):,}; "
        f"at most {max(lost, default=0)}; allowed {LOST_PER_KILL_MAX}",
        *(f"hit       {number:>6,}  {state}" for state, number in hit.most_common()),
        f"wrong     {len(bad):>6,}  runs",
        *(f"  {story.variant.name}, {story.config}: {problem}" for story in bad for problem in story.problems),
    ]
