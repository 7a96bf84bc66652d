import pytest

from cloudlet.arn import Arn


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:lambda:eu-west-1:123456789012:function:hello:PROD",
        "arn:aws:iam::123456789012:role/path/name",
        "arn:aws:s3:::bucket/key:with:colons",
        "arn:aws-cn:sqs:cn-north-1:123456789012:queue",
    ],
)
def test_an_arn_survives_parsing(text: str) -> None:
    assert str(Arn.parse(text)) == text


def test_parts_are_named() -> None:
    arn = Arn.parse("arn:aws:lambda:eu-west-1:123456789012:function:hello:PROD")
    assert (arn.service, arn.region, arn.account) == ("lambda", "eu-west-1", "123456789012")
    assert arn.resource == "function:hello:PROD"


@pytest.mark.parametrize(
    "text", ["", "hello", "arn:aws:lambda", "arn::lambda:r:a:x", "arn:aws::r:a:x", "arn:aws:s:r:a:"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an ARN"):
        Arn.parse(text)
