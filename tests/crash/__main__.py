"""`python -m tests.crash --kills N --seed S`: kill real runs, often. Exit code 1 if anything was wrong."""

import argparse
import sys
import time

from tests.crash.campaign import WORKERS, Campaign, figures
from tests.crash.lives import Story

SAY_EVERY_S = 20.0


class Progress:
    """Tells now and then how far it is, and at once what is wrong."""

    def __init__(self, kills_wanted: int) -> None:
        self._wanted, self._kills, self._said_s = kills_wanted, 0, time.monotonic()

    def __call__(self, story: Story) -> None:
        self._kills += story.kills
        if story.problems or time.monotonic() - self._said_s > SAY_EVERY_S:
            self._said_s = time.monotonic()
            _say(f"{self._kills:,} of {self._wanted:,} kills", *story.problems)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="kills of all runs together")
    parser.add_argument("--seed", type=int, default=1, help="for the inputs and the moments of the kills")
    parser.add_argument("--workers", type=int, default=WORKERS, help="runs at a time")
    wanted = parser.parse_args()
    campaign = Campaign(
        wanted.seed,
        enough=lambda stories: sum(story.kills for story in stories) >= wanted.kills,
        on_story=Progress(wanted.kills),
    )
    campaign.run(wanted.workers)
    _say(*figures(campaign.stories))
    return any(story.problems for story in campaign.stories)


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
