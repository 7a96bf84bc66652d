"""What all operations share."""

from datetime import datetime
from typing import Any, ClassVar

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Platform, Service
from cloudlet.services.cloudwatch.errors import InvalidParameterValue
from cloudlet.services.cloudwatch.ingestion import Ingestion
from cloudlet.services.cloudwatch.metric import Place
from cloudlet.services.cloudwatch.reading import Reading
from cloudlet.services.cloudwatch.upkeep import Upkeep


class CloudWatchParts(Service):
    """The base of the classes with the operations."""

    name: ClassVar[str] = "cloudwatch"

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.upkeep = Upkeep(platform.store, platform.clock)
        self.ingestion = Ingestion(platform.store, platform.clock, self.upkeep.wake)
        self.reading = Reading(platform.store, platform.clock)


def place_of(context: RequestContext) -> Place:
    """Where a request's metrics are."""
    return Place(context.account, context.region)


def seconds(moment: Any) -> float:
    """A timestamp of a request, as seconds since the epoch. Callers from inside may give those as they are."""
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)


def check_text(path: str, text: str) -> None:
    """Raises InvalidParameterValue for what cannot be a name: only printable ASCII can."""
    if not (text.isascii() and text.isprintable() and text.strip()):
        raise InvalidParameterValue(f"The value {text} for parameter {path} is invalid.")
