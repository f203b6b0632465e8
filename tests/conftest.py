"""Settings of all tests."""

from hypothesis import settings

# Machines differ and are shared: how long an example takes says nothing about the code.
settings.register_profile("personastream", deadline=None)
settings.load_profile("personastream")
