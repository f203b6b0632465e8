"""The moving parts, on anyio alone: feed, work, ask, settle, and run, which ties them. Knows ports, never adapters."""
