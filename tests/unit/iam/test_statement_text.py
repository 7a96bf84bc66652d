"""Where statements stand in a document, held to positions that AWS's simulator has answered."""

import pytest

from cloudlet.iam.policy import PolicyError
from cloudlet.iam.statement_text import Position, context_keys, statement_texts

LONE = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*",'
    '"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}'
)
ADMINISTRATOR = """{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "*",
      "Resource": "*"
    }
  ]
}"""


def test_a_lone_statement_starts_inside_its_brace() -> None:
    [statement] = statement_texts(LONE)
    assert (statement.start, statement.end) == (Position(1, 38), Position(1, 167))


def test_the_first_statement_of_a_list_starts_after_the_bracket() -> None:
    [statement] = statement_texts(ADMINISTRATOR)
    assert (statement.start, statement.end) == (Position(3, 17), Position(8, 6))


def test_further_statements_start_where_the_one_before_ended() -> None:
    first, second = statement_texts('{"Statement":[{"Effect":"Allow"}, {"Effect":"Deny"}], "Version": "2012-10-17"}')
    assert first.start == Position(1, 15)
    assert second.start == first.end
    assert second.end == Position(1, 52)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"Statement":', '{"Statement":[{]}', "7"])
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(PolicyError):
        statement_texts(text)


def test_keys_are_those_of_conditions_and_of_variables() -> None:
    document = """{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*",
        "Resource": ["arn:aws:s3:::home/${aws:username}/${*}", "arn:aws:s3:::team/${aws:PrincipalTag/team, 'none'}"],
        "Condition": {"StringEquals": {"s3:prefix": ["${aws:userid}", "plain"]}, "Bool": {"AWS:SecureTransport": "1"}}
    }}"""
    keys = ["aws:username", "aws:PrincipalTag/team", "s3:prefix", "aws:userid", "AWS:SecureTransport"]
    assert context_keys([document, document.replace("aws:username", "AWS:UserName")]) == keys


def test_old_documents_have_no_variables() -> None:
    statement = '"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::${aws:username}"}}'
    assert context_keys(['{"Version": "2008-10-17", ' + statement]) == []
