"""What is wrong with a pattern."""

from cloudlet.errors import CloudletError


class InvalidPattern(CloudletError):
    """A pattern that means nothing; the text says why."""
