"""Functions of SAM templates."""

from pathlib import Path

import pytest

from cloudlet.cli.dev import sam
from cloudlet.cli.output import CommandError

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage:
    Type: String
    Default: test
Globals:
  Function:
    Timeout: 5
    Environment:
      Variables:
        SHARED: "1"
Resources:
  Table:
    Type: AWS::DynamoDB::Table
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: app.handler
      Runtime: python3.12
      MemorySize: 256
      Environment:
        Variables:
          STAGE: !Ref Stage
          TABLE: !Ref Table
          DEBUG: true
      Events:
        Api:
          Type: HttpApi
      Policies: !Sub "${Stage}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    return tmp_path


def test_a_template_says_what_the_function_is(folder: Path) -> None:
    (folder / "template.yaml").write_text(TEMPLATE)
    found = sam.read(folder, "")
    assert found is not None
    assert found.folder == folder / "src"
    project = found.project
    assert (project.name, project.runtime, project.handler) == ("Hello", "python3.12", "app.handler")
    assert (project.timeout, project.memory_size) == (5, 256)
    assert project.environment == {"SHARED": "1", "STAGE": "test", "DEBUG": "true"}
    assert found.left_out == ("Events", "Policies", "the variable TABLE")


def test_one_of_several_has_to_be_named(folder: Path) -> None:
    more = "  Other:\n    Type: AWS::Serverless::Function\n    Properties: {CodeUri: src, FunctionName: second}\n"
    (folder / "template.yml").write_text(TEMPLATE + more)
    with pytest.raises(CommandError) as caught:
        sam.read(folder, "")
    assert caught.value.hint == "Say which: --name Hello or Other"
    found = sam.read(folder, "Other")
    assert found is not None
    assert (found.project.name, found.project.timeout) == ("second", 5)


@pytest.mark.parametrize(
    "text", ["Resources: {}", "[]", "", TEMPLATE.replace("AWS::Serverless::Function", "AWS::Lambda::Function")]
)
def test_what_has_no_such_function_counts_for_nothing(folder: Path, text: str) -> None:
    assert sam.read(folder, "") is None
    (folder / "template.yaml").write_text(text)
    assert sam.read(folder, "") is None


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("CodeUri: src/", "CodeUri: s3://bucket/key", "no folder"),
        ("CodeUri: src/", "InlineCode: pass", "no folder"),
        ("Runtime: python3.12", "Runtime: !GetAtt Table.Arn", "no plain value"),
        ("MemorySize: 256", "MemorySize: large", "large"),
        ("CodeUri: src/", "CodeUri: {", "template.yaml"),
    ],
)
def test_what_a_folder_cannot_be_is_refused(folder: Path, old: str, new: str, problem: str) -> None:
    (folder / "template.yaml").write_text(TEMPLATE.replace(old, new))
    with pytest.raises(CommandError, match=problem):
        sam.read(folder, "")


def test_yaml_makes_no_objects(folder: Path) -> None:
    (folder / "template.yaml").write_text(TEMPLATE + "\nX: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(CommandError):
        sam.read(folder, "")
