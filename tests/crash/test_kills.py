"""Killed by SIGKILL at random moments and resumed, a run ends as one that nobody disturbed."""

import pytest

from tests.crash.campaign import Campaign, figures
from tests.crash.jobs import VARIANTS
from tests.support.effort import tries


def check(campaign: Campaign) -> None:
    campaign.run()
    assert not [story for story in campaign.stories if story.problems], "\n".join(figures(campaign.stories))
    assert any(story.lost for story in campaign.stories)


@pytest.mark.slow
def test_three_killed_runs_end_as_undisturbed_ones() -> None:
    check(Campaign(seed=1, enough=lambda stories: len(stories) >= 3, inputs=1, kills_max=2, variants=VARIANTS[1:2]))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_killed_runs_end_as_undisturbed_ones() -> None:
    campaign = Campaign(seed=2, enough=lambda stories: len(stories) >= tries(24, 100))
    check(campaign)
    assert {story.variant for story in campaign.stories} == set(VARIANTS)
