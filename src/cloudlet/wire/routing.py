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

    weight: tuple[int, ...]
    """Which of two operations on one path is tried first: the greater."""
    name: str
    labels: tuple[str, ...]
    fixed: tuple[tuple[str, str], ...]
    parameters: frozenset[str]
    headers: frozenset[str]

    def fits(self, query: Query) -> bool:
        return all(name in query and (not value or value in query[name]) for name, value in self.fixed)

    def is_satisfied(self, query: Query, headers: Mapping[str, str]) -> bool:
        return all(name in query for name in self.parameters) and all(name in headers for name in self.headers)


@dataclass(slots=True)
class _Node:
    texts: dict[str, "_Node"] = field(default_factory=dict)
    label: "_Node | None" = None
    rest: "_Node | None" = None
    routes: list[_Route] = field(default_factory=list)


Values = tuple[str, ...]
"""The texts that labels have taken, still percent-encoded."""
Found = tuple[_Route, Values] | None


class Router:
    """The operations of one service, by method and path."""

    def __init__(self, operations: Iterator[OperationModel]) -> None:
        self._roots: dict[str, _Node] = {}
        self.reads_headers = False
        """True where headers may tell operations apart."""
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
        found = _Search(raw_path.removeprefix("/").split("/"), query, headers).below(root, 0, ())
        if found is None:
            return None
        route, values = found
        return route.name, dict(zip(route.labels, map(percent_decode, values), strict=True))

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
        route = _route(operation, tuple(labels), tuple(parse_pairs(query)))
        node.routes.append(route)
        self.reads_headers = self.reads_headers or bool(route.headers)


@dataclass(slots=True)
class _Search:
    """One request's way down the tree, the most particular branch first."""

    segments: list[str]
    query: Query
    headers: Mapping[str, str]

    def below(self, node: _Node, position: int, values: Values) -> Found:
        """The route at or below `node`, where the segments from `position` on are still to be matched."""
        left = len(self.segments) - position
        if node.routes and (left == 0 or (left == 1 and not self.segments[position])):
            route = self._choose(node.routes)
            if route is not None:
                return route, values
        if left == 0:
            return None
        segment = self.segments[position]
        found = None
        text = node.texts.get(segment)
        if text is not None:
            found = self.below(text, position + 1, values)
        if found is None and node.label is not None and segment:
            found = self.below(node.label, position + 1, (*values, segment))
        if found is None and node.rest is not None:
            found = self._rest(node.rest, position, values)
        return found

    def _rest(self, rest: _Node, position: int, values: Values) -> Found:
        """The route of a label that takes all that is left, or all but the fixed text that follows it."""
        if rest.texts:
            for end in range(len(self.segments) - 1, position, -1):
                text = rest.texts.get(self.segments[end])
                if text is not None:
                    found = self.below(text, end + 1, (*values, "/".join(self.segments[position:end])))
                    if found is not None:
                        return found
        taken = "/".join(self.segments[position:])
        route = self._choose(rest.routes) if taken else None
        return None if route is None else (route, (*values, taken))

    def _choose(self, routes: list[_Route]) -> _Route | None:
        fallback = None
        for route in routes:
            if route.fits(self.query):
                if route.is_satisfied(self.query, self.headers):
                    return route
                if fallback is None or len(route.fixed) == len(fallback.fixed):
                    fallback = route
        return fallback


def _sort(node: _Node) -> None:
    node.routes.sort(key=lambda route: route.weight, reverse=True)
    for below in (*node.texts.values(), node.label, node.rest):
        if below is not None:
            _sort(below)


def _route(operation: OperationModel, labels: tuple[str, ...], fixed: tuple[tuple[str, str], ...]) -> _Route:
    parameters, headers = _required(operation)
    parameters -= {name for name, _ in fixed}
    weight = (
        len(fixed),
        len(parameters) + len(headers),
        sum(bool(value) for _, value in fixed),
        # Of two that differ in nothing the older spelling and the one for special endpoints come last.
        not operation.traits.get("deprecated"),
        "staticContextParams" not in operation.traits,
    )
    return _Route(weight, operation.name, labels, fixed, parameters, headers)


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
