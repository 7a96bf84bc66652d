"""Query definitions: saved texts of queries. They are kept; Logs Insights, which would run them, is not there yet."""

from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.logs import kept_tables
from cloudlet.services.logs.errors import ResourceNotFound
from cloudlet.services.logs.kept_tables import QueryDefinition
from cloudlet.services.logs.names import check_text, place_of
from cloudlet.services.logs.operations.base import Operations
from cloudlet.services.logs.tokens import decode_token, encode_token
from cloudlet.store.base import Transaction

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        DeleteQueryDefinitionRequestTypeDef,
        DescribeQueryDefinitionsRequestTypeDef,
        PutQueryDefinitionRequestTypeDef,
    )

DEFAULT_LIMIT = 1_000
DEFAULT_LANGUAGE = "CWLI"


class QueryDefinitionOperations(Operations):
    """Operations on query definitions."""

    @operation("PutQueryDefinition")
    async def put_query_definition(self, context: RequestContext, params: "PutQueryDefinitionRequestTypeDef") -> Result:
        check_text(params)
        asked_id, client_token = params.get("queryDefinitionId"), params.get("clientToken") or ""
        place = place_of(context)
        definition = QueryDefinition(
            asked_id or self.platform.ids.uuid(),
            params["name"],
            params.get("queryLanguage") or DEFAULT_LANGUAGE,
            params["queryString"],
            orjson.dumps(params.get("logGroupNames") or []).decode(),
            orjson.dumps(params.get("parameters") or []).decode(),
            self.now_ms(),
            client_token,
        )

        def put(tx: Transaction) -> str:
            if asked_id and kept_tables.find_definition(tx, place, asked_id) is None:
                raise ResourceNotFound("The specified query definition does not exist.")
            if client_token and not asked_id:
                made = kept_tables.find_definition_by_token(tx, place, client_token)
                if made is not None:
                    return made.id
            kept_tables.put_definition(tx, place, definition)
            return definition.id

        return {"queryDefinitionId": await self.platform.store.transact(put)}

    @operation("DescribeQueryDefinitions")
    async def describe_query_definitions(
        self, context: RequestContext, params: "DescribeQueryDefinitionsRequestTypeDef"
    ) -> Result:
        prefix, limit = params.get("queryDefinitionNamePrefix") or "", params.get("maxResults") or DEFAULT_LIMIT
        check_text(prefix)
        place, token, language = place_of(context), params.get("nextToken"), params.get("queryLanguage") or ""
        name, last_id = decode_token("query-definitions", token, [str, str]) if token else ("", "")
        found = await self.platform.store.read(
            lambda reader: kept_tables.list_definitions(reader, place, prefix, language, (name, last_id), limit + 1)
        )
        answer: dict[str, Any] = {"queryDefinitions": [_describe(each) for each in found[:limit]]}
        if len(found) > limit:
            answer["nextToken"] = encode_token("query-definitions", [found[limit - 1].name, found[limit - 1].id])
        return answer

    @operation("DeleteQueryDefinition")
    async def delete_query_definition(
        self, context: RequestContext, params: "DeleteQueryDefinitionRequestTypeDef"
    ) -> Result:
        place, definition_id = place_of(context), params["queryDefinitionId"]
        check_text(definition_id)
        if not await self.platform.store.transact(lambda tx: kept_tables.delete_definition(tx, place, definition_id)):
            raise ResourceNotFound("The specified query definition does not exist.")
        return {"success": True}


def _describe(definition: QueryDefinition) -> dict[str, Any]:
    described: dict[str, Any] = {
        "queryLanguage": definition.language,
        "queryDefinitionId": definition.id,
        "name": definition.name,
        "queryString": definition.query,
        "lastModified": definition.modified_ms,
        "logGroupNames": orjson.loads(definition.group_names),
    }
    if parameters := orjson.loads(definition.parameters):
        described["parameters"] = parameters
    return described
