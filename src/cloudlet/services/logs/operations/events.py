"""Log events: putting, reading and filtering them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.logs.chunks import Event, format_position
from cloudlet.services.logs.cursors import END_MS, Cursor, cursors_around, span_of
from cloudlet.services.logs.errors import InvalidOperation, InvalidParameter
from cloudlet.services.logs.filter_pattern import Pattern, PatternError, compile_pattern
from cloudlet.services.logs.ingestion import admit, check_batch, store_batch
from cloudlet.services.logs.names import check_text, named_group, place_of
from cloudlet.services.logs.operations.base import Operations, existing_group, existing_stream
from cloudlet.services.logs.operations.streams import sequence_token
from cloudlet.services.logs.reading import MAXIMUM_PAGE_EVENTS, Span, read_page
from cloudlet.services.logs.tables import Group, Selection
from cloudlet.services.logs.tokens import decode_token, encode_token
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        FilterLogEventsRequestTypeDef,
        GetLogEventsRequestTypeDef,
        PutLogEventsRequestTypeDef,
        TestMetricFilterRequestTypeDef,
    )


class EventOperations(Operations):
    """Operations on log events."""

    @operation("PutLogEvents")
    async def put_log_events(self, context: RequestContext, params: "PutLogEventsRequestTypeDef") -> Result:
        check_text(params["logStreamName"])
        events = params["logEvents"]
        check_batch(events)
        place, stream_name, now_ms = place_of(context), params["logStreamName"], self.now_ms()
        group, stream = await self.find_stream(context, params["logGroupName"], stream_name)
        batch, rejected = admit(events, now_ms, group.retention_days)

        def store(tx: Transaction) -> int:
            group = existing_group(tx, place, params["logGroupName"])
            stream = existing_stream(tx, place, group, stream_name)
            return store_batch(tx, place, group, stream, batch, now_ms) if batch else stream.sequence

        sequence = await self.platform.store.transact(store) if batch else stream.sequence
        answer: dict[str, Any] = {"nextSequenceToken": sequence_token(sequence)}
        return answer | {"rejectedLogEventsInfo": rejected} if rejected else answer

    @operation("GetLogEvents")
    async def get_log_events(self, context: RequestContext, params: "GetLogEventsRequestTypeDef") -> Result:
        check_text(params["logStreamName"])
        group_name = named_group(context, params)
        cursor = Cursor.parse(params["nextToken"]) if params.get("nextToken") else None
        group, stream = await self.find_stream(context, group_name, params["logStreamName"])
        _check_class(group, "GetLogEvents")
        end_ms = params.get("endTime")
        span = self._span(group, params, END_MS if end_ms is None else end_ms)
        forward = bool(params.get("startFromHead"))
        if cursor is not None:
            forward, span = cursor.forward, cursor.narrow(span)
        page = await read_page(
            self.platform.store,
            Selection(place_of(context), group.id, stream.id),
            span,
            forward,
            params.get("limit") or MAXIMUM_PAGE_EVENTS,
        )
        events = page.events if forward else page.events[::-1]
        ahead, behind = cursors_around(events, span, cursor)
        return {
            "events": [_describe(event) for event in events],
            "nextForwardToken": str(ahead),
            "nextBackwardToken": str(behind),
        }

    @operation("FilterLogEvents")
    async def filter_log_events(self, context: RequestContext, params: "FilterLogEventsRequestTypeDef") -> Result:
        names, prefix = params.get("logStreamNames") or (), params.get("logStreamNamePrefix") or ""
        check_text(list(names))
        check_text(prefix)
        if names and prefix:
            raise InvalidParameter("logStreamNames and logStreamNamePrefix are mutually exclusive parameters.")
        group_name = named_group(context, params)
        pattern = _filter(params.get("filterPattern") or "")
        group = await self._group_with_streams(context, group_name, list(names))
        _check_class(group, "FilterLogEvents")
        end_ms = params.get("endTime")
        span = self._span(group, params, END_MS if end_ms is None else end_ms + 1)
        forward = params.get("startFromHead", True) is not False
        if token := params.get("nextToken"):
            cursor = Cursor.parse(*decode_token("events", token, [str]))
            forward, span = cursor.forward, cursor.narrow(span)
        page = await read_page(
            self.platform.store,
            Selection(place_of(context), group.id, None, names, prefix),
            span,
            forward,
            params.get("limit") or MAXIMUM_PAGE_EVENTS,
            pattern.matches if pattern else None,
        )
        answer: dict[str, Any] = {
            "events": [
                {"logStreamName": event.stream_name} | _describe(event) | {"eventId": format_position(event.position)}
                for event in page.events
            ],
            "searchedLogStreams": [],
        }
        if page.position is not None:
            answer["nextToken"] = encode_token("events", [str(Cursor(forward, page.position))])
        return answer

    @operation("TestMetricFilter")
    async def try_metric_filter(self, _: RequestContext, params: "TestMetricFilterRequestTypeDef") -> Result:
        pattern = _metric_filter(params["filterPattern"])
        extracted = [(message, pattern.extract(message)) for message in params["logEventMessages"]]
        return {
            "matches": [
                {"eventNumber": number, "eventMessage": message, "extractedValues": values}
                for number, (message, values) in enumerate(extracted, 1)
                if values is not None
            ]
        }

    async def _group_with_streams(self, context: RequestContext, group_name: str, names: list[str]) -> Group:
        place = place_of(context)

        def find(reader: Reader) -> Group:
            group = existing_group(reader, place, group_name)
            for name in names:
                existing_stream(reader, place, group, name)
            return group

        return await self.platform.store.read(find)

    def _span(self, group: Group, params: Mapping[str, Any], end_ms: int) -> Span:
        return span_of(params.get("startTime") or 0, end_ms, group.retention_days, self.now_ms())


def _describe(event: Event) -> dict[str, Any]:
    return {"timestamp": event.timestamp_ms, "message": event.message, "ingestionTime": event.ingested_ms}


def _check_class(group: Group, operation_name: str) -> None:
    """Raise InvalidOperation for a group whose class can be queried only."""
    if group.log_class != "STANDARD":
        raise InvalidOperation(
            f"The log group {group.name} is of log-group-class {group.log_class}. "
            f"{operation_name} is not supported for this log class."
        )


def _filter(text: str) -> Pattern | None:
    """The pattern of a search, which tells what is wrong with its characters only; None for all events."""
    try:
        return compile_pattern(text) if text.strip() else None
    except PatternError as error:
        raise InvalidParameter((error.is_lexical and error.text) or "Invalid filter pattern") from error


def _metric_filter(text: str) -> Pattern:
    try:
        return compile_pattern(text)
    except PatternError as error:
        raise InvalidParameter(error.text or "Invalid metric filter pattern") from error
