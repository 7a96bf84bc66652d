"""What the operations share."""

from typing import Any, NoReturn

from cloudlet.clock import now_ms
from cloudlet.errors import OperationNotImplemented
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Platform, Service
from cloudlet.services.logs import tables
from cloudlet.services.logs.errors import group_not_found, stream_not_found
from cloudlet.services.logs.names import SERVICE, place_of
from cloudlet.services.logs.tables import Group, Place, Stream
from cloudlet.services.logs.upkeep import Upkeep
from cloudlet.store.base import Reader


class Operations(Service):
    """The base of the classes with the operations."""

    name = SERVICE

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.upkeep = Upkeep(platform.store, platform.clock)

    def now_ms(self) -> int:
        """The time of what happens now."""
        return now_ms(self.platform.clock)

    async def find_group(self, context: RequestContext, name: str) -> Group:
        """The group of this name. Raises ResourceNotFound."""
        place = place_of(context)
        return await self.platform.store.read(lambda reader: existing_group(reader, place, name))

    async def find_stream(self, context: RequestContext, group_name: str, name: str) -> tuple[Group, Stream]:
        """A group's stream of this name. Raises ResourceNotFound."""
        place = place_of(context)

        def find(reader: Reader) -> tuple[Group, Stream]:
            group = existing_group(reader, place, group_name)
            return group, existing_stream(reader, place, group, name)

        return await self.platform.store.read(find)


def existing_group(reader: Reader, place: Place, name: str) -> Group:
    """The group of this name. Raises ResourceNotFound."""
    group = tables.find_group(reader, place, name)
    if group is None:
        raise group_not_found()
    return group


def existing_stream(reader: Reader, place: Place, group: Group, name: str) -> Stream:
    """The stream of this name. Raises ResourceNotFound."""
    stream = tables.find_stream(reader, place, group.id, name)
    if stream is None:
        raise stream_not_found()
    return stream


def not_implemented(parameter: str, value: Any) -> NoReturn:
    """Refuse a parameter that would change what happens, rather than ignore it."""
    raise OperationNotImplemented(f"Cloudlet does not implement {parameter} of CloudWatch Logs (was: {value}).")
