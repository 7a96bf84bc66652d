"""A pattern as a whole."""

import logging
from collections.abc import Sequence
from typing import Any, Self

from cloudlet.patterns.alternative import Alternative
from cloudlet.patterns.budget import Budget, TooMuchWork
from cloudlet.patterns.parser import Parser

logger = logging.getLogger(__name__)


class Pattern:
    """A pattern that is valid: a list of alternatives, into which `$or` multiplies it out."""

    def __init__(self, text: str) -> None:
        """Raises InvalidPattern."""
        parser = Parser(text)
        self.alternatives: Sequence[Alternative] = parser.parse()
        self.names: Sequence[str] = parser.names
        """Of the outermost fields."""
        self.is_nested = parser.is_nested
        """True when a field lies in another one."""
        self.cost = sum(tests.cost for alternative in self.alternatives for tests in alternative.fields.values())
        """How much work an event of one value may be, in tests."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """A pattern out of JSON. Raises InvalidPattern; InvalidJson when it is not even JSON."""
        return cls(text)

    def matches(self, event: Any) -> bool:
        """True when the event, JSON as Python has it, has what the pattern wants. What is no object has nothing.

        An event that was made to be too much work does not match.
        """
        if not isinstance(event, dict):
            return False
        budget = Budget()
        try:
            return any(alternative.matches(event, budget) for alternative in self.alternatives)
        except TooMuchWork as error:
            logger.warning("%s, and counts as one that does not match", error)
            return False
