"""What can be wrong with an expression."""

from cloudlet.errors import CloudletError


class MathError(CloudletError):
    """The expression cannot be evaluated; the message says why."""
