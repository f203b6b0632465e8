"""The time of day, as the service writes it."""

from datetime import UTC, datetime


def iso_now() -> str:
    """Now, as ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
