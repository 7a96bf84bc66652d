"""What is wrong with a filter pattern."""


class PatternError(ValueError):
    """A filter pattern that CloudWatch Logs refuses.

    `text` is the service's own sentence; empty where it only says that the pattern is invalid, in words that differ
    from operation to operation. `is_lexical` tells whether every operation gives `text`: what the parser finds after
    the tokens were read is named by TestMetricFilter only.
    """

    def __init__(self, text: str = "", *, is_lexical: bool = True) -> None:
        super().__init__(text or "Invalid filter pattern")
        self.text = text
        self.is_lexical = is_lexical


def invalid_term(term: str, *, is_lexical: bool = True) -> PatternError:
    """The error for characters or words that may not stand where they stand."""
    return PatternError(f"Invalid character(s) in term '{term}'", is_lexical=is_lexical)
