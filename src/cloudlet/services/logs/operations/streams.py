"""Log streams."""

from typing import TYPE_CHECKING, Any

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.logs import tables
from cloudlet.services.logs.errors import InvalidParameter, ResourceAlreadyExists
from cloudlet.services.logs.ingestion import new_stream
from cloudlet.services.logs.names import check_text, group_arn, named_group, place_of
from cloudlet.services.logs.operations.base import Operations, existing_group, existing_stream
from cloudlet.services.logs.tables import NEVER, Stream
from cloudlet.services.logs.tokens import decode_token, encode_token
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        CreateLogStreamRequestTypeDef,
        DeleteLogStreamRequestTypeDef,
        DescribeLogStreamsRequestTypeDef,
    )

DEFAULT_LIMIT = 50


class StreamOperations(Operations):
    """Operations on log streams."""

    @operation("CreateLogStream")
    async def create_log_stream(self, context: RequestContext, params: "CreateLogStreamRequestTypeDef") -> Result:
        check_text(params["logStreamName"])
        place, group_name = place_of(context), params["logGroupName"]
        stream = new_stream(self.platform.ids, params["logStreamName"], self.now_ms())

        def create(tx: Transaction) -> None:
            if not tables.add_stream(tx, place, existing_group(tx, place, group_name).id, stream):
                raise ResourceAlreadyExists("The specified log stream already exists")

        await self.platform.store.transact(create)
        return {}

    @operation("DeleteLogStream")
    async def delete_log_stream(self, context: RequestContext, params: "DeleteLogStreamRequestTypeDef") -> Result:
        check_text(params["logStreamName"])
        place, group_name, name = place_of(context), params["logGroupName"], params["logStreamName"]

        def delete(tx: Transaction) -> None:
            group = existing_group(tx, place, group_name)
            tables.delete_stream(tx, place, group.id, existing_stream(tx, place, group, name))

        await self.platform.store.transact(delete)
        self.upkeep.wake()
        return {}

    @operation("DescribeLogStreams")
    async def describe_log_streams(self, context: RequestContext, params: "DescribeLogStreamsRequestTypeDef") -> Result:
        group_name = named_group(context, params)
        prefix, limit = params.get("logStreamNamePrefix") or "", params.get("limit") or DEFAULT_LIMIT
        check_text(prefix)
        by_last_event = params.get("orderBy") == "LastEventTime"
        if by_last_event and prefix:
            raise InvalidParameter("Cannot order by LastEventTime with a logStreamNamePrefix.")
        descending, token = bool(params.get("descending")), params.get("nextToken")
        after = decode_token("streams-by-time" if by_last_event else "streams", token, [int, str]) if token else None
        place = place_of(context)

        def query(reader: Reader) -> list[Stream]:
            group_id = existing_group(reader, place, group_name).id
            if by_last_event:
                beyond = (after[0], after[1]) if after else None
                return tables.list_streams_by_last_event(reader, place, group_id, beyond, descending, limit + 1)
            beyond_name = after[1] if after else None
            return tables.list_streams_by_name(reader, place, group_id, prefix, beyond_name, descending, limit + 1)

        streams = await self.platform.store.read(query)
        arn = f"{group_arn(context, group_name)}:log-stream:"
        answer: dict[str, Any] = {"logStreams": [_describe(arn, stream) for stream in streams[:limit]]}
        if len(streams) > limit:
            last = streams[limit - 1]
            answer["nextToken"] = encode_token(
                "streams-by-time" if by_last_event else "streams", [last.last_ms, last.name]
            )
        return answer


def sequence_token(stream_sequence: int) -> str:
    """The token that a stream's next upload might name; the service has not asked for it since 2023."""
    return f"49{stream_sequence:054d}"


def _describe(arn_prefix: str, stream: Stream) -> dict[str, Any]:
    described: dict[str, Any] = {"logStreamName": stream.name, "creationTime": stream.created_ms}
    if stream.last_ms != NEVER:
        described |= {
            "firstEventTimestamp": stream.first_ms,
            "lastEventTimestamp": stream.last_ms,
            "lastIngestionTime": stream.ingested_ms,
            "uploadSequenceToken": sequence_token(stream.sequence),
        }
    # The service has reported no stream's size since 2019.
    return described | {"arn": arn_prefix + stream.name, "storedBytes": 0}
