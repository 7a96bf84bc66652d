"""Commands about permissions: why something is allowed or not, and what a role needs at least."""

import datetime
import json
from typing import Annotated, Any

import typer

from cloudlet.cli import settings
from cloudlet.cli.access_advice import GLOBAL_REGION, advice, events_of
from cloudlet.cli.access_sources import Policies, find_principal, statement_of
from cloudlet.cli.client import Client
from cloudlet.cli.output import CommandError, say, styled
from cloudlet.cli.settings import AccountOption, ConfigOption, DataOption, EndpointOption, RegionOption

access_app = typer.Typer(help="Explain permissions, and propose them.", no_args_is_help=True)
_COLOURS = {"allowed": "32", "explicitDeny": "31", "implicitDeny": "33"}
_MEANINGS = {
    "allowed": "",
    "explicitDeny": "a statement denies it",
    "implicitDeny": "no statement allows it",
}


@access_app.command()
def explain(
    action: Annotated[str, typer.Argument(help="lambda:InvokeFunction, s3:GetObject ...")],
    resource: Annotated[str, typer.Argument(help="The resource's ARN, or * for none.")] = "*",
    principal: Annotated[str, typer.Option("--as", metavar="PRINCIPAL", help="A role or user: its name or ARN.")] = "",
    context: Annotated[
        list[str] | None, typer.Option("--context", metavar="KEY=VALUE", help="A condition key; may be repeated.")
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    endpoint: EndpointOption = None,
    region: RegionOption = None,
    account: AccountOption = None,
) -> None:
    """Show whether a role or a user may do something, and why.

    What is on the resource itself is not asked. The exit code is 1 when the action is denied.
    """
    if not principal:
        raise CommandError("Whose permissions?", "Say --as and the name or the ARN of a role or user.", exit_code=2)
    client = Client.connect(settings.load(config, data=data), endpoint, region, account)
    entries = _context_entries([*_defaults(client, context or []), *(context or [])])
    with client.sdk("iam") as [iam]:
        arn = find_principal(iam, principal)
        answer = iam.simulate_principal_policy(
            PolicySourceArn=arn, ActionNames=[action], ResourceArns=[resource], ContextEntries=entries
        )
        [result] = answer["EvaluationResults"]
        _show_decision(result, arn, resource)
        policies = Policies(iam, arn)
        for matched in result["MatchedStatements"]:
            _show_statement(matched, policies)
    if result["EvalDecision"] != "allowed":
        raise typer.Exit(1)


@access_app.command()
def advise(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="The role's name or ARN.")],
    denied: Annotated[bool, typer.Option("--denied", help="Grant also what was called and denied.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    endpoint: EndpointOption = None,
    region: RegionOption = None,
    account: AccountOption = None,
) -> None:
    """Propose the least policy for a role, from what it called.

    This reads CloudTrail's events. Calls about data (messages, objects, invocations ...) are only among them when the
    node runs with data_events = true.
    """
    client = Client.connect(settings.load(config, data=data), endpoint, region, account)
    with client.sdk("iam", "cloudtrail") as [iam, here], client.in_region(GLOBAL_REGION).sdk("cloudtrail") as [there]:
        arn = find_principal(iam, role, kinds=("role",))
        trails = [here, there] if client.region != GLOBAL_REGION else [here]
        proposed, seen = advice(events_of(trails, arn), with_denied=denied)
    if not proposed["Statement"]:
        raise CommandError(
            f"{arn} has called nothing that CloudTrail has kept.",
            "Calls about data are kept only with: CLOUDLET_DATA_EVENTS=true cloudlet up",
        )
    say(f"What {arn} needs for its {seen} calls that were kept:")
    print(json.dumps(proposed, indent=2))


def _context_entries(pairs: list[str]) -> list[dict[str, Any]]:
    values: dict[str, list[str]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise CommandError(f"--context: {pair!r} is not KEY=VALUE", exit_code=2)
        values.setdefault(key, []).append(value)
    return [
        {
            "ContextKeyName": key,
            "ContextKeyValues": found,
            "ContextKeyType": "string" if len(found) == 1 else "stringList",
        }
        for key, found in values.items()
    ]


def _defaults(client: Client, given: list[str]) -> list[str]:
    """The keys that every call has, where `given` does not name them: time, region, transport."""
    try:
        now = float(client.control("GET", "clock")["now"])
    except CommandError:
        now = datetime.datetime.now(datetime.UTC).timestamp()  # only the operator may ask for the platform's time
    moment = datetime.datetime.fromtimestamp(int(now), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    values = {
        "aws:CurrentTime": moment,
        "aws:EpochTime": str(int(now)),
        "aws:RequestedRegion": client.region,
        "aws:SecureTransport": str(client.endpoint.startswith("https:")).lower(),
        "aws:ViaAWSService": "false",
    }
    named = {pair.partition("=")[0].lower() for pair in given}
    return [f"{key}={value}" for key, value in values.items() if key.lower() not in named]


def _show_decision(result: dict[str, Any], arn: str, resource: str) -> None:
    decision = result["EvalDecision"]
    meaning = _MEANINGS[decision]
    if not result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True):
        meaning = "the organisation's policies do not allow it"
    elif not result.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary", True):
        meaning = "the permissions boundary " + ("denies it" if decision == "explicitDeny" else "does not allow it")
    print(styled(decision, _COLOURS[decision]) + (f": {meaning}" if meaning else ""))
    print(f"  {result['EvalActionName']} on {resource}\n  as {arn}")
    specific = result.get("ResourceSpecificResults", [])
    missing = dict.fromkeys(
        [*result["MissingContextValues"], *(k for r in specific for k in r["MissingContextValues"])]
    )
    if missing:
        say(f"Not known of the call, say with --context: {', '.join(missing)}")


def _show_statement(matched: dict[str, Any], policies: Policies) -> None:
    name, start, end = matched["SourcePolicyId"], matched["StartPosition"], matched["EndPosition"]
    source, document = policies.find(name)
    statement = statement_of(document, start, end)
    place = f"lines {start['Line']}-{end['Line']}" if end["Line"] > start["Line"] else f"line {start['Line']}"
    sid = f", {statement['Sid']}" if statement.get("Sid") else ""
    print(f"\n{styled(source, '1')}{sid} ({place})")
    print(json.dumps(statement, indent=2))
