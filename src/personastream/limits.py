"""Section `[limits]`: how patient a run is, and when it stops by itself."""

from dataclasses import dataclass

from personastream.settings import setting


@dataclass(frozen=True, slots=True)
class Limits:
    """All of them may change between sittings."""

    attempts_max: int = setting(
        "Attempts for a row that keeps failing while others succeed; then it is dead.",
        default=4,
        minimum=1,
        maximum=100,
        identity=False,
    )
    backoff_s: float = setting(
        "Longest first wait before another attempt, in seconds; it doubles from fault to fault.",
        default=0.5,
        minimum=0.0,
        maximum=60.0,
        identity=False,
    )
    backoff_s_max: float = setting(
        "Longest wait between two attempts, in seconds.", default=30.0, minimum=0.0, maximum=600.0, identity=False
    )
    hedge_after_s: float = setting(
        "Ask another provider as well when one has not answered for so many seconds, and take what comes first; both "
        "may be billed. 0: never.",
        default=0.0,
        minimum=0.0,
        maximum=3600.0,
        identity=False,
    )
    hedge_share_max: float = setting(
        "Largest share of all requests that is sent a second time for that.",
        default=0.05,
        minimum=0.0,
        maximum=1.0,
        identity=False,
    )
    outage_s_max: float = setting(
        "The run stops (exit 69) when no request has succeeded for so many seconds.",
        default=300.0,
        minimum=0.0,
        maximum=86400.0,
        identity=False,
    )
    pause_s_max: float = setting(
        "A provider that asks for a longer pause is left out; the run ends (exit 75) when none is left.",
        default=3600.0,
        minimum=0.0,
        maximum=86400.0 * 31,
        identity=False,
    )
    spend_max: float = setting(
        "Ceiling on what the whole run may cost, in the currency of the prices; 0 for none. Crashes count as spending.",
        default=0.0,
        minimum=0.0,
        maximum=1e9,
        identity=False,
    )
    drain_s_max: float = setting(
        "Time for rows in flight to finish after SIGTERM or Ctrl-C, in seconds.",
        default=120.0,
        minimum=0.0,
        maximum=3600.0,
        identity=False,
    )
    dead_share_max: float = setting(
        "The run stops (exit 65) when a larger share of at least 200 rows has died.",
        default=0.5,
        minimum=0.0,
        maximum=1.0,
        identity=False,
    )
