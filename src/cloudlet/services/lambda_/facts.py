"""What decisions on permissions ask of Lambda: a function's policy and its tags."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from cloudlet.arn import Arn
from cloudlet.iam.facts import ResourceFacts
from cloudlet.services.lambda_ import code_signing_tables, layer, tables, tagging, url_config
from cloudlet.services.lambda_.code_signing import CodeSigningConfig
from cloudlet.services.lambda_.event_sources import mapping as mappings
from cloudlet.services.lambda_.names import LATEST, CodeSigningKey, EventSourceKey, FunctionRef
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
    if found is None:
        return None
    return ResourceFacts(None, orjson.loads(found.tags), {"lambda:functionarn": (found.ref.qualified_arn,)})


def stored_keys(reader: Reader, action: str, resource: Arn, params: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """What the URL of a function, or a statement of its policy, says of a request about it.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html#awslambda-policy-keys
    """
    name, _, qualifier = resource.resource.removeprefix("function:").partition(":")
    ref = FunctionRef(resource.account, resource.region, name, qualifier)
    if action == "lambda:RemovePermission":
        statements = [orjson.loads(text) for text in tables.statements(reader, ref, ref.qualifier or LATEST)]
        principals = [one["Principal"] for one in statements if one["Sid"] == params.get("StatementId")]
        return {"lambda:principal": tuple(_principal_text(principal) for principal in principals)} if principals else {}
    config = url_config.find(reader, ref)
    auth_type = params.get("AuthType") or (config.auth_type if config is not None else "")
    return {"lambda:functionurlauthtype": (str(auth_type),)} if auth_type else {}


def _principal_text(principal: str | dict[str, str]) -> str:
    return principal if isinstance(principal, str) else next(iter(principal.values()))
