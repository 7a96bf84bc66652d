"""Query definitions."""

from typing import Any

from tests.support.logs_world import LogsWorld

TOKEN = "t" * 36


async def definitions(logs: LogsWorld, **params: object) -> list[dict[str, Any]]:
    return list((await logs("DescribeQueryDefinitions", **params))["queryDefinitions"])


async def test_a_definition_is_kept(logs: LogsWorld) -> None:
    answer = await logs("PutQueryDefinition", name="errors", queryString="fields @message", logGroupNames=["group"])
    assert await definitions(logs) == [
        {
            "queryLanguage": "CWLI",
            "queryDefinitionId": answer["queryDefinitionId"],
            "name": "errors",
            "queryString": "fields @message",
            "lastModified": logs.now_ms,
            "logGroupNames": ["group"],
        }
    ]


async def test_a_definition_is_changed(logs: LogsWorld) -> None:
    made = await logs("PutQueryDefinition", name="errors", queryString="one")
    logs.clock.advance(1)
    parameters = [{"name": "level", "defaultValue": "ERROR"}]
    await logs(
        "PutQueryDefinition",
        queryDefinitionId=made["queryDefinitionId"],
        name="all",
        queryString="two",
        queryLanguage="SQL",
        parameters=parameters,
    )
    assert await definitions(logs) == [
        {
            "queryLanguage": "SQL",
            "queryDefinitionId": made["queryDefinitionId"],
            "name": "all",
            "queryString": "two",
            "lastModified": logs.now_ms,
            "logGroupNames": [],
            "parameters": parameters,
        }
    ]


async def test_a_request_made_twice_makes_one(logs: LogsWorld) -> None:
    first = await logs("PutQueryDefinition", name="errors", queryString="one", clientToken=TOKEN)
    second = await logs("PutQueryDefinition", name="errors", queryString="one", clientToken=TOKEN)
    assert first == second
    assert len(await definitions(logs)) == 1


async def test_definitions_are_found_by_prefix_and_language_in_pages(logs: LogsWorld) -> None:
    for name, language in (("a_1", "CWLI"), ("a_1", "SQL"), ("a_2", "CWLI"), ("aX", "CWLI")):
        await logs("PutQueryDefinition", name=name, queryString="one", queryLanguage=language)
    assert [each["name"] for each in await definitions(logs, queryDefinitionNamePrefix="a_")] == ["a_1", "a_1", "a_2"]
    assert [each["name"] for each in await definitions(logs, queryLanguage="SQL")] == ["a_1"]
    pages = await logs.pages("DescribeQueryDefinitions", maxResults=1)
    found = [[each["name"] for each in page["queryDefinitions"]] for page in pages]
    assert found == [["aX"], ["a_1"], ["a_1"], ["a_2"]]


async def test_a_deleted_definition_is_gone(logs: LogsWorld) -> None:
    made = await logs("PutQueryDefinition", name="errors", queryString="one")
    assert await logs("DeleteQueryDefinition", **made) == {"success": True}
    for operation, params in (("DeleteQueryDefinition", {}), ("PutQueryDefinition", {"name": "a", "queryString": "b"})):
        code, _ = await logs.refuses(operation, **made, **params)
        assert code == "ResourceNotFoundException"
