"""Condition operators of the policy language, compiled once to closures.

A statement's conditions are an AND; a condition's values are an OR, or a NOR for a negated operator.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

import base64
import binascii
import ipaddress
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import isfinite

from cloudlet.iam.policy import Condition, Effect
from cloudlet.iam.request import AccessRequest
from cloudlet.iam.wildcards import glob, plain

ValueTest = Callable[[str], bool]
"""Does a value of the request satisfy a value of the policy?"""
Test = Callable[[AccessRequest], bool]


def never(_value: str) -> bool:
    """The test of a policy's value that has not its operator's form: AWS keeps such a policy, and nothing matches."""
    return False


def compile_condition(condition: Condition, effect: Effect, *, has_variables: bool) -> Test:
    """One condition as a function of a request.

    What cannot be decided (an unknown operator, a policy variable without a value under a negated operator) is never
    in the caller's favour: it fails in an Allow and holds in a Deny.
    """
    if condition.operator == "Null":
        return _null(condition)
    make = _POSITIVE.get(_NEGATED.get(condition.operator, condition.operator))
    if make is None:
        return lambda _request: effect == "Deny"
    resolve = _values(condition, make, has_variables=has_variables)
    negated = condition.operator in _NEGATED
    takes_all = condition.over == "ForAllValues" or (negated and not condition.over)
    when_absent = condition.if_exists or takes_all

    def test(request: AccessRequest) -> bool:
        given = request.values(condition.key)
        if not given:
            return when_absent
        tests = resolve(request)
        if tests is None:
            return effect == "Deny" and negated
        outcomes = (any(test(value) for test in tests) != negated for value in given)
        return all(outcomes) if takes_all else any(outcomes)

    return test


def _null(condition: Condition) -> Test:
    absent = [value.lower() == "true" for value in condition.values]
    return lambda request: (not request.values(condition.key)) in absent


def _values(
    condition: Condition, make: Callable[[str], ValueTest], *, has_variables: bool
) -> Callable[[AccessRequest], list[ValueTest] | None]:
    """The tests of the policy's values for a request; None when a policy variable has no value there."""
    dynamic = [text for text in condition.values if has_variables and "${" in text]
    fixed = [make(text) for text in condition.values if text not in dynamic]

    def resolve(request: AccessRequest) -> list[ValueTest] | None:
        filled = [request.substitute(text) for text in dynamic]
        if None in filled and not fixed:
            return None
        return fixed + [make(text) for text in filled if text is not None]

    return (lambda _request: fixed) if not dynamic else resolve


def _equals(wanted: str) -> ValueTest:
    return plain(wanted).__eq__


def _equals_in_any_case(wanted: str) -> ValueTest:
    folded = plain(wanted).casefold()
    return lambda value: value.casefold() == folded


def _numeric(compare: Callable[[float, float], bool]) -> Callable[[str], ValueTest]:
    return lambda wanted: _compared(wanted, _number, compare)


def _date(compare: Callable[[float, float], bool]) -> Callable[[str], ValueTest]:
    return lambda wanted: _compared(wanted, _moment, compare)


def _compared(wanted: str, read: Callable[[str], float | None], compare: Callable[[float, float], bool]) -> ValueTest:
    limit = read(wanted)
    if limit is None:
        return never

    def test(value: str) -> bool:
        number = read(value)
        return number is not None and compare(number, limit)

    return test


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _moment(text: str) -> float | None:
    """Seconds since the epoch: of such a number, or of a date in a form of ISO 8601."""
    number = _number(text)
    if number is not None and len(text) != len("2020"):
        return number
    for form in ("%Y", "%Y-%m"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return number
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _binary(wanted: str) -> ValueTest:
    content = _decoded(wanted)
    return never if content is None else lambda value: _decoded(value) == content


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _address(wanted: str) -> ValueTest:
    try:
        network = ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return never

    def test(value: str) -> bool:
        try:
            return ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return test


def _arn(wanted: str) -> ValueTest:
    """Each of the six parts by itself: a `*` does not reach over a colon, but in the last part."""
    parts = [glob(part) for part in wanted.split(":", 5)]

    def test(value: str) -> bool:
        found = value.split(":", 5)
        return len(found) == len(parts) == 6 and all(part(text) for part, text in zip(parts, found, strict=True))

    return test


_POSITIVE: Mapping[str, Callable[[str], ValueTest]] = {
    "StringEquals": _equals,
    "StringEqualsIgnoreCase": _equals_in_any_case,
    "StringLike": glob,
    "NumericEquals": _numeric(lambda value, limit: value == limit),
    "NumericLessThan": _numeric(lambda value, limit: value < limit),
    "NumericLessThanEquals": _numeric(lambda value, limit: value <= limit),
    "NumericGreaterThan": _numeric(lambda value, limit: value > limit),
    "NumericGreaterThanEquals": _numeric(lambda value, limit: value >= limit),
    "DateEquals": _date(lambda value, limit: value == limit),
    "DateLessThan": _date(lambda value, limit: value < limit),
    "DateLessThanEquals": _date(lambda value, limit: value <= limit),
    "DateGreaterThan": _date(lambda value, limit: value > limit),
    "DateGreaterThanEquals": _date(lambda value, limit: value >= limit),
    "Bool": _equals_in_any_case,
    "BinaryEquals": _binary,
    "IpAddress": _address,
    "ArnEquals": _arn,
    "ArnLike": _arn,
}
_NEGATED: Mapping[str, str] = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}
"""The negated operators, and what they negate."""
