"""Settings of functions over HTTP: VPC, file systems, keys, size of /tmp."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.functions import create_function
from tests.support.nodes import MakeClient

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
SIMPLE = "def handler(event, context):\n    return event\n"
FILL = """
import os

def handler(event, context):
    written = 0
    try:
        with open('/tmp/full', 'wb', buffering=0) as file:
            while written < event:
                written += file.write(bytes(1 << 20))
    except OSError as error:
        os.unlink('/tmp/full')
        return [error.strerror, written >> 20]
    os.unlink('/tmp/full')
    return ['', written >> 20]
"""
VPC = {"SubnetIds": ["subnet-1a"], "SecurityGroupIds": ["sg-1a"]}
POINT = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
MOUNTED = [{"Arn": POINT, "LocalMountPath": "/mnt/data"}]
KEY = "arn:aws:kms:us-east-1:000000000000:key/1"


@pytest.fixture
def functions(client: MakeClient) -> Any:
    return client("lambda")


def updated(functions: Any, **params: Any) -> Any:
    answer = functions.update_function_configuration(FunctionName="fn", **params)
    waiter = functions.get_waiter("function_updated_v2")
    waiter.wait(FunctionName="fn", WaiterConfig={"Delay": 0, "MaxAttempts": 100_000})
    return answer


def test_network_and_key_are_kept_shown_and_taken_away(functions: Any) -> None:
    made = create_function(functions, "fn", SIMPLE, VpcConfig=VPC, FileSystemConfigs=MOUNTED, KMSKeyArn=KEY)
    assert made["VpcConfig"].pop("VpcId").startswith("vpc-")
    assert made["VpcConfig"] == {**VPC, "Ipv6AllowedForDualStack": False}
    [listed] = functions.list_functions()["Functions"]
    assert (listed["FileSystemConfigs"], listed["KMSKeyArn"]) == (MOUNTED, KEY)
    assert json.load(functions.invoke(FunctionName="fn", Payload="1")["Payload"]) == 1
    with pytest.raises(ClientError, match="Function must be configured to execute in a VPC to reference"):
        updated(functions, VpcConfig={"SubnetIds": [], "SecurityGroupIds": []})
    with pytest.raises(ClientError, match="SubnetIds and SecurityIds must coexist or be both empty list"):
        updated(functions, VpcConfig={"SubnetIds": ["subnet-1a"], "SecurityGroupIds": []})
    answer = updated(functions, VpcConfig={"SubnetIds": [], "SecurityGroupIds": []}, FileSystemConfigs=[], KMSKeyArn="")
    assert answer["VpcConfig"] == {
        "SubnetIds": [], "SecurityGroupIds": [], "VpcId": "", "Ipv6AllowedForDualStack": False
    }  # fmt: skip
    assert not answer.keys() & {"FileSystemConfigs", "KMSKeyArn"}


def test_a_function_that_never_was_in_a_vpc_shows_none(functions: Any) -> None:
    create_function(functions, "fn", SIMPLE, VpcConfig={"SubnetIds": [], "SecurityGroupIds": []})
    assert "VpcConfig" not in functions.get_function_configuration(FunctionName="fn")


def test_a_vpc_needs_a_role_that_may_make_interfaces(functions: Any, client: MakeClient) -> None:
    iam = client("iam")
    role = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    with pytest.raises(ClientError, match="does not have permissions to call CreateNetworkInterface on EC2"):
        create_function(functions, "fn", SIMPLE, Role=role, VpcConfig=VPC)
    iam.attach_role_policy(
        RoleName="worker", PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"
    )
    create_function(functions, "fn", SIMPLE, Role=role, VpcConfig=VPC)


def test_a_policy_can_ask_for_a_vpc(functions: Any, client: MakeClient) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#vpc-condition-keys"""
    vpc_id = create_function(functions, "mine", SIMPLE, VpcConfig=VPC)["VpcConfig"]["VpcId"]
    outside = {"Effect": "Deny", "Action": "lambda:CreateFunction", "Resource": "*"}
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {**outside, "Condition": {"Null": {"lambda:VpcIds": "true"}}},
        {**outside, "Condition": {"ForAnyValue:StringNotEquals": {"lambda:VpcIds": vpc_id}}},
    ]
    iam = client("iam")
    iam.create_user(UserName="u")
    key = iam.create_access_key(UserName="u")["AccessKey"]
    iam.put_user_policy(
        UserName="u", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements})
    )
    held = client("lambda", keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    with pytest.raises(ClientError, match="with an explicit deny"):
        create_function(held, "fn", SIMPLE)
    create_function(held, "fn", SIMPLE, VpcConfig=VPC)


def test_ephemeral_storage_is_what_tmp_holds(functions: Any) -> None:
    create_function(functions, "fn", FILL, MemorySize=1024, Timeout=60)
    over = json.dumps(600 << 20)
    error, mib = json.load(functions.invoke(FunctionName="fn", Payload=over)["Payload"])
    assert (error, mib) == ("No space left on device", 512)
    assert updated(functions, EphemeralStorage={"Size": 700})["EphemeralStorage"] == {"Size": 700}
    assert json.load(functions.invoke(FunctionName="fn", Payload=over)["Payload"]) == ["", 600]
    with pytest.raises(ClientError, match="less than or equal to 10240"):
        updated(functions, EphemeralStorage={"Size": 10241})
