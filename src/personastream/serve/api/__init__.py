"""The HTTP API: one module a resource; `app.py` puts them together."""
