"""A service under load for long, with all that happens to one: killed, drained, reloaded, an endpoint lost.

python -m tests.soak --minutes 30   prints its figures as JSON on the last line, and draws soak.png
"""
