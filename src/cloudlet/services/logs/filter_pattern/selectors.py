"""Patterns for JSON: `{ $.user.id = 1 && ($.items[*].price > 9.5 || $.error IS NULL) }`."""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from cloudlet.services.logs.filter_pattern.comparisons import OPERATORS, comparison
from cloudlet.services.logs.filter_pattern.errors import PatternError, invalid_term
from cloudlet.services.logs.filter_pattern.expressions import Condition, Tokens, parse_expression
from cloudlet.services.logs.filter_pattern.scanner import TERM_CHARACTERS, VALUE_CHARACTERS, Scanner, Token

NAME_CHARACTERS = TERM_CHARACTERS | {"-"}
STEPS = ("selector", "index", "wildcard")
MAXIMUM_WILDCARDS = 3
CONSTANTS: dict[str, bool | None] = {"NULL": None, "TRUE": True, "FALSE": False}

Step = str | int | None
"""A member's name, an element's number, or None for each of them."""


class Number(NamedTuple):
    """A JSON number as it was written: a value in quotation marks is compared with that."""

    text: str


def compile_selectors(pattern: str) -> Condition:
    """The test for what stands between the braces; a message that is no JSON object fails it. Raises PatternError."""
    tokens = Tokens(_tokens(Scanner(pattern)))
    condition = parse_expression(tokens, _parse_condition)
    if not tokens.is_done:
        raise PatternError

    def test(message: str) -> bool:
        event = _parse_json(message)
        return isinstance(event, dict) and condition(event)

    return test


def _parse_json(message: str) -> Any:
    try:
        return json.loads(message, parse_int=Number, parse_float=Number, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _tokens(scanner: Scanner) -> list[Token]:
    found: list[Token] = []
    wildcards = wildcards_of_selector = 0
    while scanner.skip_blanks():
        token = _token(scanner, follows_step=bool(found) and found[-1].kind in STEPS)
        found.append(token)
        if token.text.startswith("$"):
            wildcards_of_selector = 0
        if token.kind == "wildcard":
            wildcards += 1
            wildcards_of_selector += 1
        if wildcards_of_selector > 1:
            raise PatternError(
                "Your filter pattern has a JSON path selector that exceeds the maximum of 1 wildcard allowed per json"
                " selector."
            )
    if wildcards > MAXIMUM_WILDCARDS:
        raise PatternError(
            "Your input has exceeded the maximum of 3 JSON wildcard selectors allowed per filter pattern."
        )
    return found


def _token(scanner: Scanner, *, follows_step: bool) -> Token:
    match scanner.here:
        case "$":
            return _root(scanner)
        case '"':
            return scanner.quoted()
        case "%":
            return scanner.regex()
        case "[":
            return _step(scanner, scanner.at)
        case "." if follows_step:
            return _step(scanner, scanner.at)
    return scanner.word(VALUE_CHARACTERS) if scanner.here in VALUE_CHARACTERS else scanner.symbol()


def _root(scanner: Scanner) -> Token:
    """`$` and the first step."""
    start = scanner.at
    scanner.at += 1
    if scanner.here != ".":
        raise invalid_term(scanner.text[start : scanner.at + 1])
    return _step(scanner, start)


def _step(scanner: Scanner, start: int) -> Token:
    """`.name`, `.*`, `.['a name']`, `[7]` or `[*]`. The token begins at `start`."""
    if scanner.here == "[":
        return _bracket(scanner, start, _is_element)
    scanner.at += 1
    if scanner.here == "[":
        return _bracket(scanner, start, _is_name)
    begin = scanner.at
    if scanner.here == "*":
        scanner.at += 1
        return Token("wildcard", "*", scanner.text[start : scanner.at])
    while scanner.here and scanner.here in NAME_CHARACTERS:
        scanner.at += 1
    if scanner.at == begin:
        raise invalid_term(scanner.text[start : scanner.at + 1])
    return Token("selector", scanner.text[begin : scanner.at], scanner.text[start : scanner.at])


def _is_element(text: str) -> bool:
    return text == "*" or (text.isdecimal() and text.isascii())


def _is_name(text: str) -> bool:
    return len(text) > 2 and text[0] == text[-1] and text[0] in "'\""


def _bracket(scanner: Scanner, start: int, is_valid: Callable[[str], bool]) -> Token:
    end = scanner.text.find("]", scanner.at)
    content = scanner.text[scanner.at + 1 : end]
    if end < 0 or not is_valid(content):
        raise invalid_term(_until_misfit(scanner.text, start, scanner.at + 1))
    scanner.at = end + 1
    text = scanner.text[start : scanner.at]
    if content == "*":
        return Token("wildcard", "*", text)
    return Token("index", content, text) if content.isdecimal() else Token("selector", content[1:-1], text)


def _until_misfit(text: str, start: int, at: int) -> str:
    while at < len(text) and text[at].isdecimal():
        at += 1
    return text[start : at + 1]


def _parse_condition(tokens: Tokens) -> Condition:
    path = _parse_path(tokens)
    operator = tokens.next()
    if operator.kind == "word" and operator.value == "IS":
        constant = tokens.next()
        if constant.kind != "word" or constant.value not in CONSTANTS:
            raise invalid_term(constant.text, is_lexical=False)
        return _is_constant(path, CONSTANTS[constant.value])
    if operator.kind == "word" and operator.value == "NOT":
        if tokens.next()[:2] != ("word", "EXISTS"):
            raise PatternError
        return lambda event: not _select(event, path)
    if operator.kind != "symbol" or operator.value not in OPERATORS:
        raise PatternError
    tests = comparison(operator.value, tokens.next())

    def test(node: Any) -> bool:
        if isinstance(node, str):
            return tests.of_text(node)
        return isinstance(node, Number) and tests.of_number(node.text)

    return lambda event: any(test(node) for node in _select(event, path))


def _is_constant(path: Sequence[Step], constant: bool | None) -> Condition:
    """An array that has a null among its elements is null too: so the service decides."""

    def test(node: Any) -> bool:
        return node is constant or (constant is None and type(node) is list and None in node)

    return lambda event: any(test(node) for node in _select(event, path))


def _parse_path(tokens: Tokens) -> list[Step]:
    first = tokens.next()
    if first.kind not in STEPS or not first.text.startswith("$"):
        raise PatternError
    path = [_as_step(first)]
    while (token := tokens.peek()) is not None and token.kind in STEPS and not token.text.startswith("$"):
        path.append(_as_step(tokens.next()))
    return path


def _as_step(token: Token) -> Step:
    match token.kind:
        case "wildcard":
            return None
        case "index":
            return int(token.value)
    return token.value


def _select(event: Any, path: Sequence[Step]) -> list[Any]:
    """The nodes that a path leads to; none where it leads nowhere."""
    nodes = [event]
    for step in path:
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, dict):
                found.extend(node.values() if step is None else [node[step]] if step in node else [])
            elif type(node) is list:
                found.extend(node if step is None else node[step : step + 1] if isinstance(step, int) else [])
        nodes = found
    return nodes
