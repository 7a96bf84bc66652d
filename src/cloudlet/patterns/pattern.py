"""A pattern as a whole."""

from collections.abc import Sequence
from typing import Any, Self

from cloudlet.patterns.alternative import Alternative
from cloudlet.patterns.parser import Parser


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

    @classmethod
    def parse(cls, text: str) -> Self:
        """A pattern out of JSON. Raises InvalidPattern; InvalidJson when it is not even JSON."""
        return cls(text)

    def matches(self, event: Any) -> bool:
        """True when the event, JSON as Python has it, has what the pattern wants. What is no object has nothing."""
        return isinstance(event, dict) and any(alternative.matches(event) for alternative in self.alternatives)
