from cloudlet.errors import ServiceError
from cloudlet.wire.model import ServiceModels
from tests.support.wire import request

EC2 = ServiceModels().service("ec2")


def test_lists_are_flat_and_names_ec2_s_own() -> None:
    form = (
        "Action=RunInstances&ImageId=ami-1&MinCount=1&MaxCount=2&SecurityGroupId.1=sg-1"
        "&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v"
    )
    assert EC2.operation("RunInstances").decode("ec2", request(form), {}) == {
        "ImageId": "ami-1",
        "MinCount": 1,
        "MaxCount": 2,
        "SecurityGroupIds": ["sg-1"],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "k", "Value": "v"}]}],
    }


def test_answers_have_no_wrapper() -> None:
    response = EC2.operation("DescribeRegions").encode("ec2", {"Regions": [{"RegionName": "eu-west-1"}]}, "id")
    assert response.body == (
        b'<DescribeRegionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15"><requestId>id</requestId>'
        b"<regionInfo><item><regionName>eu-west-1</regionName></item></regionInfo></DescribeRegionsResponse>"
    )


def test_an_operation_without_output_returns_true() -> None:
    body = EC2.operation("DeleteSubnet").encode("ec2", {}, "id").body
    assert isinstance(body, bytes)
    assert b"<return>true</return>" in body


def test_errors_are_in_a_list() -> None:
    error = type("Gone", (ServiceError,), {"code": "InvalidSubnetID.NotFound"})("text")
    assert EC2.encode_error("ec2", error, "id").body == (
        b"<Response><Errors><Error><Code>InvalidSubnetID.NotFound</Code><Message>text</Message></Error></Errors>"
        b"<RequestID>id</RequestID></Response>"
    )
