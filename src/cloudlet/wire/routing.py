"""Which operation of a REST service a request is for.

A tree of path segments, each a text, a label or a label that takes the rest (`{Key+}`). At its leaves stand operations,
told apart by what their `requestUri` fixes in the query string (`?tagging`, `list-type=2`) and by the query parameters
and headers that they cannot do without. The most particular one wins: text before label before rest, then the one that
asks for more and gets it; where none gets all it asks for, the one that asks for least, so that it can say what is
missing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cloudlet.wire.protocols.text import parse_pairs, percent_decode
from cloudlet.wire.shapes import OperationModel, members_of, wire_name

Query = Mapping[str, Sequence[str]]
_LABEL = re.compile(r"\{([^}+]+)(\+?)\}")


@dataclass(frozen=True, slots=True)
class _Route:
    """One operation, and what it asks of a request besides the path."""

    name: str
    labels: tuple[str, ...]
    fixed: tuple[tuple[str, str], ...]
    parameters: frozenset[str]
    headers: frozenset[str]

    def fits(self, query: Query) -> bool:
        return all(name in query and (not value or value in query[name]) for name, value in self.fixed)

    def is_satisfied(self, query: Query, headers: Mapping[str, str]) -> bool:
        return all(name in query for name in self.parameters) and all(name in headers for name in self.headers)

    @property
    def weight(self) -> tuple[int, int, int]:
        """Which of two routes on one path is tried first: the greater."""
        return len(self.fixed), len(self.parameters) + len(self.headers), sum(bool(value) for _, value in self.fixed)


@dataclass(slots=True)
class _Node:
    texts: dict[str, "_Node"] = field(default_factory=dict)
    label: "_Node | None" = None
    rest: "_Node | None" = None
    routes: list[_Route] = field(default_factory=list)


class Router:
    """The operations of one service, by method and path."""

    def __init__(self, operations: Iterator[OperationModel]) -> None:
        self._roots: dict[str, _Node] = {}
        for operation in operations:
            self._add(operation)
        for root in self._roots.values():
            _sort(root)

    def route(
        self, method: str, raw_path: str, query: Query, headers: Mapping[str, str]
    ) -> tuple[str, dict[str, str]] | None:
        """The operation and the decoded labels of its path; None where the service has none such.

        A slash at the end of the path makes no difference, unless it belongs to a label that takes the rest.
        `headers` have lower-case names. Raises SerializationError for a path that is not UTF-8.
        """
        root = self._roots.get(method)
        if root is None:
            return None
        for node, values in _leaves(root, raw_path.removeprefix("/").split("/"), 0, ()):
            route = _choose(node.routes, query, headers)
            if route is not None:
                return route.name, dict(zip(route.labels, map(percent_decode, values), strict=True))
        return None

    def _add(self, operation: OperationModel) -> None:
        path, _, query = operation.request_uri.partition("?")
        node = self._roots.setdefault(operation.method, _Node())
        labels = []
        for segment in path.strip("/").split("/") if path.strip("/") else ():
            match = _LABEL.fullmatch(segment)
            if match is None:
                node = node.texts.setdefault(segment, _Node())
                continue
            labels.append(match[1])
            if match[2]:
                node.rest = node = node.rest or _Node()
            else:
                node.label = node = node.label or _Node()
        parameters, headers = _required(operation)
        fixed = tuple(parse_pairs(query))
        node.routes.append(
            _Route(str(operation.name), tuple(labels), fixed, parameters - {name for name, _ in fixed}, headers)
        )


def _leaves(
    node: _Node, segments: list[str], position: int, values: tuple[str, ...]
) -> Iterator[tuple[_Node, tuple[str, ...]]]:
    """The ends that a path can reach, the most particular first, with the texts that its labels took."""
    if node.routes and (position == len(segments) or (position == len(segments) - 1 and not segments[position])):
        yield node, values
    if position < len(segments):
        segment = segments[position]
        below = node.texts.get(segment)
        if below is not None:
            yield from _leaves(below, segments, position + 1, values)
        if node.label is not None and segment:
            yield from _leaves(node.label, segments, position + 1, (*values, segment))
        if node.rest is not None and position < len(segments):
            # What follows a label that takes the rest is fixed text, so it is looked for from the end.
            for end in range(len(segments), position, -1):
                taken = "/".join(segments[position:end])
                if taken:
                    yield from _leaves(node.rest, segments, end, (*values, taken))


def _choose(routes: list[_Route], query: Query, headers: Mapping[str, str]) -> _Route | None:
    fallback = None
    for route in routes:
        if route.fits(query):
            if route.is_satisfied(query, headers):
                return route
            if fallback is None or len(route.fixed) == len(fallback.fixed):
                fallback = route
    return fallback


def _sort(node: _Node) -> None:
    node.routes.sort(key=lambda route: route.weight, reverse=True)
    for below in (*node.texts.values(), node.label, node.rest):
        if below is not None:
            _sort(below)


def _required(operation: OperationModel) -> tuple[frozenset[str], frozenset[str]]:
    """The query parameters and the headers (lower case) that an operation's input requires."""
    shape = operation.input
    if shape is None:
        return frozenset(), frozenset()
    members = members_of(shape)
    found: dict[str, set[str]] = {"querystring": set(), "header": set()}
    for name in shape.required:
        member = members.get(name)
        location = member.traits.get("location") if member is not None else None
        if member is not None and location in found:
            found[str(location)].add(wire_name(member, name))
    return frozenset(found["querystring"]), frozenset(name.lower() for name in found["header"])
