"""Why the service does not do what it was asked to: the API turns each type into a status."""

from personastream.errors import PersonaStreamError


class Refusal(PersonaStreamError):
    """Nothing has changed."""


class NotThere(Refusal):
    """There is no such job, or no such endpoint."""


class Conflicting(Refusal):
    """It does not fit what there is: a name that is taken, a job that has ended, a service that drains."""


class Unfit(Refusal):
    """What was given is no job, or no value of that kind."""
