"""`personastream` with checkpoints every few rows, so that short runs have them too. Run as a script."""

from personastream.cli import main
from personastream.engine import feed
from tests.crash.jobs import CHECKPOINT_ROWS

if __name__ == "__main__":
    feed.CHECKPOINT_ROWS = CHECKPOINT_ROWS
    main()
