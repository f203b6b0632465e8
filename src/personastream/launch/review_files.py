"""Reviews of a run as files in it."""

FOLDER = "review"
