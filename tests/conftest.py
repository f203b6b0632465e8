"""Settings of all tests."""

import signal

from hypothesis import settings

from tests.support.effort import tries

# Machines differ and are shared: how long an example takes says nothing about the code.
settings.register_profile("personastream", deadline=None, max_examples=tries(100))
settings.load_profile("personastream")

# Processes started by tests inherit ignored signals, and a background job or nohup ignores these.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
