"""Event patterns: which events a rule, a subscription or an event source mapping wants.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
"""

from cloudlet.patterns.errors import InvalidPattern
from cloudlet.patterns.pattern import Pattern

__all__ = ["InvalidPattern", "Pattern"]
