"""Ceilings of several who ask one endpoint."""

from personastream.core.ceilings import IN_FLIGHT_MAX, Ceilings, checked, strictest, together


def test_the_strictest_is_the_lowest_that_anybody_names() -> None:
    several = [Ceilings(8, 0, 600), Ceilings(64, 60, 0), Ceilings(16, 30, 0, 5)]
    assert strictest(several) == Ceilings(8, 30, 600, 5, 0)
    assert strictest([]) == Ceilings()


def test_what_one_job_names_several_times_adds_up_unless_it_names_no_end() -> None:
    assert together([Ceilings(8, 60, 600), Ceilings(4, 30, 0)]) == Ceilings(12, 90, 0)
    assert together([Ceilings(IN_FLIGHT_MAX), Ceilings(4)]).in_flight_max == IN_FLIGHT_MAX


def test_changes_leave_the_rest_as_it_is() -> None:
    changes = checked({"in_flight_max": 4.0, "requests_per_minute": 7})
    assert Ceilings(8, 60, 600).but(changes) == Ceilings(4, 7, 600)
    assert isinstance(changes["in_flight_max"], int)
