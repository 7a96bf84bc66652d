"""The match expressions `{"prefix": ...}`, each read from its value to the end of its object."""

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from typing import Final

from cloudlet.patterns import values
from cloudlet.patterns.errors import InvalidPattern
from cloudlet.patterns.reader import Reader
from cloudlet.patterns.tokens import Token
from cloudlet.patterns.values import Address, Test

ANY: Final = values.exists
_ONE_KEY = "Only one key allowed in match expression"
_TOO_MANY = "Too many elements in numeric expression"
_MIXED = "Inside anything but list, either all values are number or string, mixed type is not supported"
_NOT_IN_LIST = "Inside anything but list, start|null|boolean is not supported."
_NOT_IN_CASE_LIST = "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
_ADDRESS = re.compile(r"[0-9]+(?:\.[0-9]+){3}|[0-9a-fA-F:]*:[0-9a-fA-F:]*(?:[0-9]+(?:\.[0-9]+){3})?")


def exists(reader: Reader) -> bool:
    """Whether the field has to be there, or must not."""
    kind = reader.next().kind
    if kind not in ("true", "false"):
        reader.fail("exists match pattern must be either true or false.")
    reader.expect_end("}", _ONE_KEY)
    return kind == "true"


def _exactly(reader: Reader) -> Test:
    text = _only_text(reader, "exact match pattern must be a string")
    return lambda value: isinstance(value, str) and value == text


def _equals_ignore_case(reader: Reader) -> Test:
    return values.same_ignoring_case(_only_text(reader, "equals-ignore-case match pattern must be a string"))


def _affix(name: str, plain: Callable[[str], Test], ignoring_case: Callable[[str], Test]) -> Callable[[Reader], Test]:
    """`prefix` or `suffix`, of a text or of `{"equals-ignore-case": text}`."""

    def read(reader: Reader) -> Test:
        token = reader.next()
        if token.kind == "{":
            inner = reader.next()
            if inner.text != "equals-ignore-case":
                reader.fail(f"Unsupported {name} pattern: {inner.text}")
            test = ignoring_case(_only_text(reader, "equals-ignore-case match pattern must be a string"))
        else:
            if token.kind != "string":
                reader.fail(f"{name} match pattern must be a string")
            test = plain(token.text)
        reader.expect_end("}", _ONE_KEY)
        return test

    return read


def _wildcard(reader: Reader) -> Test:
    token = reader.next()
    if token.kind != "string":
        reader.fail("wildcard match pattern must be a string")
    test = _wildcard_of(reader, token.text)
    reader.expect_end("}", _ONE_KEY)
    return test


def _cidr(reader: Reader) -> Test:
    token = reader.next()
    if token.kind != "string":
        reader.fail("prefix match pattern must be a string")
    test = values.in_network(*_network(token.text))
    reader.expect_end("}", _ONE_KEY)
    return test


def _numeric(reader: Reader) -> Test:
    if reader.next().kind != "[":
        reader.fail("Value of numeric must be an array.")
    operator = reader.next()
    if operator.kind != "string":
        reader.fail(f"Invalid member in numeric match: {operator.text}")
    number = reader.next()
    name = "equals" if operator.text == "=" else operator.text
    if name not in ("equals", "<", "<=", ">", ">="):
        reader.fail(f"Unrecognized numeric range operator: {operator.text}")
    if number.kind != "number":
        reader.fail(f"Value of {name} must be numeric")
    low, high, with_low, with_high = -math.inf, math.inf, True, True
    if name in (">", ">="):
        upper, with_high = _upper_bound(reader)
        low, with_low = _comparable(reader, number), name == ">="
        high = _comparable(reader, upper) if upper is not None else high
        if low >= high:
            reader.fail("Bottom must be less than top")
    else:
        reader.expect_end("]", _TOO_MANY)
        high, with_high = _comparable(reader, number), name != "<"
        low = high if name == "equals" else low
    reader.expect_end("}", _TOO_MANY)
    return values.between(low, high, with_low=with_low, with_high=with_high)


def _upper_bound(reader: Reader) -> tuple[Token | None, bool]:
    """The second half of a range, if there is one, and whether its end belongs to it."""
    operator = reader.next()
    if operator.kind == "]":
        return None, True
    if operator.kind != "string":
        reader.fail(f"Bad value in numeric range: {operator.text}")
    if operator.text not in ("<", "<="):
        reader.fail(f"Bad numeric range operator: {operator.text}")
    number = reader.next()
    if number.kind != "number":
        reader.fail(f"Value of {operator.text} must be numeric")
    reader.expect_end("]", "Too many terms in numeric range expression")
    return number, operator.text == "<="


def _anything_but(reader: Reader) -> Test:
    token = reader.next()
    if token.kind == "{":
        return _anything_but_expression(reader)
    if token.kind == "[":
        test = values.anything_but(_list(reader))
    elif token.kind in ("string", "number"):
        test = values.anything_but([_scalar(reader, token)])
    else:
        reader.fail("Value of anything-but must be an array or single string/number value.")
    reader.expect_end("}", _TOO_MANY)
    return test


def _anything_but_expression(reader: Reader) -> Test:
    """`{"anything-but": {"prefix": ...}}` and the like: of one text or several."""
    name = reader.next()
    if name.kind != "name":
        reader.fail("Anything-But expression name not found")
    if name.text not in _INSIDE_ANYTHING_BUT:
        reader.fail(f"Unsupported anything-but pattern: {name.text}")
    wrong_type, make = _INSIDE_ANYTHING_BUT[name.text]
    texts = []
    token = reader.next()
    is_list = token.kind == "["
    if is_list:
        token = reader.next()
    while token.kind != "]":
        if token.kind != "string":
            reader.fail(wrong_type, in_list=is_list)
        if not token.text and name.text in ("prefix", "suffix"):
            reader.fail_after("Null prefix/suffix not allowed", in_list=is_list)
        texts.append(token.text)
        if not is_list:
            break
        token = reader.next()
    if not texts:
        reader.fail(wrong_type)
    tests = [make(reader, text) for text in texts]
    for _ in range(2):
        reader.expect_end("}", _ONE_KEY)
    return values.NoneOf(tests)


def _list(reader: Reader) -> list[str | float]:
    found: list[str | float] = []
    while (token := reader.next()).kind != "]":
        if token.kind not in ("string", "number"):
            reader.fail(_NOT_IN_LIST, in_list=True)
        found.append(_scalar(reader, token))
    if len({isinstance(value, str) for value in found}) != 1:
        reader.fail(_MIXED)
    return found


def _scalar(reader: Reader, token: Token) -> str | float:
    return token.text if token.kind == "string" else _comparable(reader, token)


def _comparable(reader: Reader, token: Token) -> float:
    """A number that a double can hold. Raises InvalidPattern."""
    number = float(token.text)
    if math.isinf(number) or (number == 0 and any(digit in "123456789" for digit in token.text.lower().split("e")[0])):
        reader.fail(f"Cannot compare number : {token.text}")
    return number


def _only_text(reader: Reader, message: str) -> str:
    """The text that is the expression's value, with the end of its object."""
    token = reader.next()
    if token.kind != "string":
        reader.fail(message)
    reader.expect_end("}", _ONE_KEY)
    return token.text


def _wildcard_of(reader: Reader, text: str) -> Test:
    return values.wildcard(_parts(reader, text))


def _parts(reader: Reader, text: str) -> list[str]:
    """What stands between the wildcards; `\\*` and `\\\\` mean the characters. Raises InvalidPattern."""
    parts, at, position = [""], 0, 1  # AWS counts bytes, from the quote before the text
    while at < len(text):
        character = text[at]
        following = text[at + 1 : at + 2]
        if character == "*":
            if following == "*":
                reader.fail_after(f"Consecutive wildcard characters at pos {position}")
            parts.append("")
        elif character == "\\":
            if following not in ("*", "\\") or not following:
                reader.fail_after(f"Invalid escape character at pos {position}")
            parts[-1] += following
            at, position = at + 1, position + 1
        else:
            parts[-1] += character
        at, position = at + 1, position + len(character.encode())
    return parts


def _network(text: str) -> tuple[Address, int]:
    """An address and the number of its network's bits. Raises InvalidPattern."""
    parts = text.split("/")
    if len(parts) != 2:
        raise InvalidPattern("Malformed CIDR, one '/' required")
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", parts[1]):
        raise InvalidPattern("Malformed CIDR, mask bits must be an integer")
    bits = int(parts[1])
    if bits < 0:
        raise InvalidPattern("Malformed CIDR, mask bits must not be negative")
    if not _ADDRESS.fullmatch(parts[0]):
        raise InvalidPattern(f"Nonstandard IP address: {parts[0]}")
    try:
        address = ipaddress.ip_address(parts[0])
    except ValueError:
        raise InvalidPattern(f"Invalid IP address: {parts[0]}") from None
    if bits >= address.max_prefixlen:
        raise InvalidPattern(f"IPv{address.version} mask bits must be < {address.max_prefixlen}")
    return address, bits


READERS: Final[Mapping[str, Callable[[Reader], Test]]] = {
    "exactly": _exactly,
    "prefix": _affix("prefix", values.prefix, values.prefix_ignoring_case),
    "suffix": _affix("suffix", values.suffix, values.suffix_ignoring_case),
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "numeric": _numeric,
    "anything-but": _anything_but,
    "cidr": _cidr,
}
"""By the expression's name, but for `exists`, which is about what is not there."""


_INSIDE_ANYTHING_BUT: Final[Mapping[str, tuple[str, Callable[[Reader, str], Test]]]] = {
    "prefix": ("prefix/suffix match pattern must be a string", lambda _, text: values.prefix(text)),
    "suffix": ("prefix/suffix match pattern must be a string", lambda _, text: values.suffix(text)),
    "equals-ignore-case": (_NOT_IN_CASE_LIST, lambda _, text: values.same_ignoring_case(text)),
    "wildcard": ("wildcard match pattern must be a string", _wildcard_of),
}
