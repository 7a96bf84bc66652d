from tests.support.nodes import MakeClient


def test_boto3_learns_who_it_is(client: MakeClient, account: str) -> None:
    identity = client("sts").get_caller_identity()
    assert identity["Account"] == account
    assert identity["Arn"] == f"arn:aws:iam::{account}:root"
