"""What decisions on permissions ask of Lambda: a function's policy and its tags."""

import orjson

from cloudlet.arn import Arn
from cloudlet.iam.facts import ResourceFacts
from cloudlet.services.lambda_ import code_signing_tables, layer, tables, tagging
from cloudlet.services.lambda_.code_signing import CodeSigningConfig
from cloudlet.services.lambda_.event_sources import mapping as mappings
from cloudlet.services.lambda_.names import CodeSigningKey, EventSourceKey, FunctionRef
from cloudlet.services.lambda_.permission import document
from cloudlet.store.base import Reader


def function_facts(reader: Reader, resource: Arn) -> ResourceFacts | None:
    """The facts of a function, version or alias. One without a policy grants nothing, to services either."""
    _, _, name = resource.resource.partition(":")
    name, _, qualifier = name.partition(":")
    ref = FunctionRef(resource.account, resource.region, name, qualifier)
    if tables.function(reader, ref) is None:
        return None
    return ResourceFacts(document(reader, ref), tagging.read(reader, ref.qualified("")))


def layer_facts(reader: Reader, resource: Arn) -> ResourceFacts | None:
    """The facts of a layer version."""
    parsed = layer.parse_arn(str(resource))
    found = layer.find(reader, *parsed) if parsed is not None else None
    return ResourceFacts(found.policy) if found is not None else None


def code_signing_facts(reader: Reader, resource: Arn) -> ResourceFacts | None:
    """The facts of a code signing configuration: its tags."""
    _, _, config_id = resource.resource.partition(":")
    row = code_signing_tables.one(reader, CodeSigningKey(resource.account, resource.region, config_id))
    return ResourceFacts(None, orjson.loads(CodeSigningConfig.from_row(row).tags)) if row is not None else None


def event_source_facts(reader: Reader, resource: Arn) -> ResourceFacts | None:
    """The facts of an event source mapping: its tags."""
    _, _, uuid = resource.resource.partition(":")
    found = mappings.find(reader, EventSourceKey(resource.account, resource.region, uuid))
    return ResourceFacts(None, orjson.loads(found.tags)) if found is not None else None
