"""Event patterns: which events somebody wants. Filters of mappings, filter policies of topics, rules of buses.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from cloudlet.patterns.errors import InvalidJson, InvalidPattern
from cloudlet.patterns.pattern import Pattern

__all__ = ["InvalidJson", "InvalidPattern", "Pattern"]
