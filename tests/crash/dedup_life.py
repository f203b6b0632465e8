"""`personastream` whose dedup jobs commit, and keep checkpoints, every few rows. Run as a script."""

from personastream.cli import main
from personastream.engine import feed
from personastream.launch import dedup_job, dedup_output

BATCH_ROWS = 40
COMMIT_BATCHES = 5

if __name__ == "__main__":
    feed.CHECKPOINT_ROWS = 90
    dedup_job.BATCH_ROWS = BATCH_ROWS
    dedup_output.COMMIT_BATCHES = COMMIT_BATCHES
    main()
