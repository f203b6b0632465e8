"""What a soak makes of its samples."""

from dataclasses import replace

from tests.soak.samples import BUSY_SHARE, FLOOR_S, WARM_UP_S, Sample, slope_bytes_per_million, steady

ONE = Sample(0.0, 1, 0, 100, 0, 0, 0, 0, 0.0)


def samples(seconds: int, life: int = 1, start: int = 0, in_flight: int = 100) -> list[Sample]:
    """One a second, at 1,000 rows a second."""
    times = range(start, start + seconds)
    return [replace(ONE, at_s=float(at), life=life, rows=1000 * at, in_flight=in_flight) for at in times]


def test_the_longest_time_of_one_life_counts_without_its_ends() -> None:
    lost = round(BUSY_SHARE * 100) - 1
    told = [
        *samples(300),
        *samples(400, 2, 300),
        *samples(60, 2, 700, lost),
        *samples(900, 2, 760),
        *samples(350, 3, 1660),
    ]
    times = [sample.at_s for sample in steady(told, 100)]
    assert times == [float(at) for at in range(760 + round(WARM_UP_S), 1660 - round(WARM_UP_S))]


def test_nothing_is_steady_if_the_time_is_short() -> None:
    assert steady(samples(200), 100) == []
    assert steady([], 100) == []


def test_what_comes_and_goes_is_no_growth() -> None:
    told = samples(1000)
    waves = [
        replace(sample, rss_bytes=5_000_000 + 1_000_000 * (round(sample.at_s) % round(FLOOR_S / 2))) for sample in told
    ]
    assert slope_bytes_per_million(waves) == 0.0
    growing = [replace(sample, rss_bytes=sample.rss_bytes + 3 * sample.rows) for sample in waves]
    assert round(slope_bytes_per_million(growing)) == 3_000_000
