"""One page about a run, for people: figures from its output (`document`), drawn as HTML (`page`)."""
