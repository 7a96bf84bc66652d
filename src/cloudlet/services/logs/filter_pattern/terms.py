"""Patterns for text without structure: `ERROR ?WARN -"timed out" %[0-9]+ms%`."""

from collections.abc import Callable

from cloudlet.services.logs.filter_pattern.errors import PatternError
from cloudlet.services.logs.filter_pattern.regex import Regex
from cloudlet.services.logs.filter_pattern.scanner import TERM_CHARACTERS, Scanner, Token

Test = Callable[[str], bool]


def compile_terms(pattern: str) -> Test:
    """The test that a message passes which has every plain term and no excluded one.

    Of terms with a question mark one must be there; they only count when there are no others. Raises PatternError.
    """
    required, excluded, optional = _parse(pattern)
    if required or excluded:
        return lambda message: all(test(message) for test in required) and not any(test(message) for test in excluded)
    return lambda message: any(test(message) for test in optional)


def _parse(pattern: str) -> tuple[list[Test], list[Test], list[Test]]:
    required: list[Test] = []
    excluded: list[Test] = []
    optional: list[Test] = []
    scanner = Scanner(pattern)
    while scanner.skip_blanks():
        kind = {"-": excluded, "?": optional}.get(scanner.here, required)
        if kind is not required:
            scanner.at += 1
            if not scanner.skip_blanks():
                raise PatternError
        kind.append(_test(_term(scanner)))
    return required, excluded, optional


def _term(scanner: Scanner) -> Token:
    if scanner.here == '"':
        return scanner.quoted()
    return scanner.regex() if scanner.here == "%" else scanner.word(TERM_CHARACTERS)


def _test(term: Token) -> Test:
    if term.kind == "regex":
        return Regex(term.value).search
    text = term.value
    return lambda message: text in message
