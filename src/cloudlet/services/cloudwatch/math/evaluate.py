"""The values of a request's expressions, each of which may use metrics and other expressions by their ids."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cloudlet.errors import OperationNotImplemented
from cloudlet.services.cloudwatch.math.errors import MathError
from cloudlet.services.cloudwatch.math.functions import FILLING, FUNCTIONS, NEED_REQUEST, UNBUILT, constant
from cloudlet.services.cloudwatch.math.operators import OPERATORS
from cloudlet.services.cloudwatch.math.parser import Array, Call, Name, Negation, Node, Number, Operation, Text
from cloudlet.services.cloudwatch.math.series import Grid, Series, Value, Word, arrays, combined, kind

MAX_POINTS: Final = 2_000_000
"""Of all series that the expressions of a request use."""
MAX_WORK: Final = 10_000_000
"""Of all expressions of a request, as `work` counts it: some seconds."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression sees."""

    metrics: Mapping[str, Series]
    """The request's metrics, in their order."""
    values: Mapping[str, Value]
    """The values of the expressions that it uses."""
    grid: Grid
    """Of series that are made of nothing but a number."""


def nodes(tree: Node) -> Iterator[Node]:
    """All nodes of a tree."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, Operation):
            waiting += (node.left, node.right)
        elif isinstance(node, Negation):
            waiting.append(node.operand)
        elif isinstance(node, Array):
            waiting += node.items
        elif isinstance(node, Call):
            waiting += node.arguments


def names(tree: Node) -> set[str]:
    """The ids that an expression uses: names that begin with a small letter."""
    return {node.name for node in nodes(tree) if isinstance(node, Name) and node.name[0].islower()}


def metric_patterns(tree: Node) -> set[str]:
    """The texts in its calls of METRICS, which are empty for all metrics."""
    calls = (node for node in nodes(tree) if isinstance(node, Call) and node.function == "METRICS")
    return {_pattern(call) for call in calls}


def check_functions(tree: Node) -> None:
    """Raises OperationNotImplemented for a function that AWS has, MathError for one that nobody has."""
    for node in nodes(tree):
        if isinstance(node, Call) and node.function not in FUNCTIONS and node.function not in NEED_REQUEST:
            if node.function in UNBUILT:
                raise OperationNotImplemented(f"Cloudlet does not implement {node.function} of metric math.")
            raise MathError(f"Unknown function {node.function}")


def work(tree: Node, scope: Scope) -> int:
    """About how many values have to be looked at: those of each series that is used, once for each node of the tree."""
    size, fills, used = 0, False, names(tree)
    for node in nodes(tree):
        size += 1
        fills = fills or (isinstance(node, Call) and node.function in FILLING)
    patterns = metric_patterns(tree)
    found = [
        series for name, series in scope.metrics.items() if name in used or any(pattern in name for pattern in patterns)
    ]
    for name in used:
        value = scope.values.get(name)
        if isinstance(value, Series | tuple):
            found += arrays(value)
    points = sum(max(len(one.values), one.grid.size if fills else 0) for one in found)
    return size * (points + (scope.grid.size if fills else 0))


def evaluate(tree: Node, scope: Scope) -> Series | tuple[Series, ...]:
    """The value of a whole expression. Raises MathError."""
    value = _value(tree, scope)
    if not isinstance(value, Series | tuple):
        raise MathError(f"The result must be a time series or an array of time series, not a {kind(value)}")
    return value


def _value(node: Node, scope: Scope) -> Value:
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Text):
        return node.value
    if isinstance(node, Name):
        return _named(node.name, scope)
    if isinstance(node, Array):
        return tuple(series for item in node.items for series in arrays(_value(item, scope)))
    if isinstance(node, Negation):
        return combined(-1.0, _value(node.operand, scope), OPERATORS["*"])
    if isinstance(node, Operation):
        return _operation(node, scope)
    return _call(node, scope)


def _operation(node: Operation, scope: Scope) -> Value:
    # A sum of a thousand terms is a tree that is a thousand deep on its left: it is not descended by calls.
    chain: list[Operation] = []
    left: Node = node
    while isinstance(left, Operation):
        chain.append(left)
        left = left.left
    value = _value(left, scope)
    for operation in reversed(chain):
        value = combined(value, _value(operation.right, scope), OPERATORS[operation.operator])
    return value


def _named(name: str, scope: Scope) -> Value:
    if name in scope.metrics:
        return scope.metrics[name]
    if name in scope.values:
        return scope.values[name]
    if name[0].islower():
        raise MathError(f"Unknown id {name}")
    return Word(name)


def _call(node: Call, scope: Scope) -> Value:
    if node.function == "METRICS":
        pattern = _pattern(node)
        return tuple(series for name, series in scope.metrics.items() if pattern in name)
    arguments = [_value(argument, scope) for argument in node.arguments]
    if node.function == "TIME_SERIES":
        if len(arguments) != 1 or not isinstance(arguments[0], float):
            raise MathError("TIME_SERIES takes a scalar")
        return constant(scope.grid, arguments[0])
    return FUNCTIONS[node.function](arguments)


def _pattern(node: Call) -> str:
    if not node.arguments:
        return ""
    if len(node.arguments) > 1 or not isinstance(node.arguments[0], Text):
        raise MathError("METRICS takes a text, or nothing")
    return node.arguments[0].value
