"""Destinations."""

from tests.support.logs_world import LogsWorld


async def test_a_destination_is_kept(logs: LogsWorld) -> None:
    put = await logs("PutDestination", destinationName="place", targetArn="target", roleArn="role")
    assert put["destination"] == {
        "destinationName": "place",
        "targetArn": "target",
        "roleArn": "role",
        "arn": "arn:aws:logs:us-east-1:111111111111:destination:place",
        "creationTime": logs.now_ms,
    }
    assert (await logs("DescribeDestinations"))["destinations"] == [put["destination"]]


async def test_a_changed_destination_keeps_its_age_and_policy(logs: LogsWorld) -> None:
    created = logs.now_ms
    await logs("PutDestination", destinationName="place", targetArn="target", roleArn="role")
    await logs("PutDestinationPolicy", destinationName="place", accessPolicy="{}")
    logs.clock.advance(60)
    put = await logs("PutDestination", destinationName="place", targetArn="other", roleArn="other")
    assert put["destination"]["targetArn"] == put["destination"]["roleArn"] == "other"
    assert put["destination"]["accessPolicy"] == "{}"
    assert put["destination"]["creationTime"] == created


async def test_destinations_are_found_by_prefix_in_pages(logs: LogsWorld) -> None:
    for name in ("a_1", "a_2", "a_3", "aX1"):
        await logs("PutDestination", destinationName=name, targetArn="target", roleArn="role")
    page = await logs("DescribeDestinations", DestinationNamePrefix="a_", limit=2)
    assert [each["destinationName"] for each in page["destinations"]] == ["a_1", "a_2"]
    page = await logs("DescribeDestinations", DestinationNamePrefix="a_", limit=2, nextToken=page["nextToken"])
    assert [each["destinationName"] for each in page["destinations"]] == ["a_3"]
    assert "nextToken" not in page


async def test_what_is_not_there_is_not_changed(logs: LogsWorld) -> None:
    error = ("ResourceNotFoundException", "The specified destination does not exist.")
    assert await logs.refuses("DeleteDestination", destinationName="place") == error
    assert await logs.refuses("PutDestinationPolicy", destinationName="place", accessPolicy="{}") == error
    await logs("PutDestination", destinationName="place", targetArn="target", roleArn="role")
    await logs("DeleteDestination", destinationName="place")
    assert (await logs("DescribeDestinations"))["destinations"] == []
