"""Why a function may have no log: its role has to be allowed to write it, as on AWS."""

from cloudlet.arn import Arn
from cloudlet.cli.client import Client, ServiceFailure

ACTIONS = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
BASIC_POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


def missing_rights(client: Client, name: str) -> str:
    """What to do when the role of the function `name` may not write its log; empty when it may, or nothing is known.

    Only the role's own policies are asked, by IAM's simulator. A role that is not there may do everything in dev mode.
    """
    try:
        with client.sdk("lambda", "iam") as [functions, iam]:
            function = functions.get_function_configuration(FunctionName=name)
            arn, role = Arn.parse(function["FunctionArn"]), function["Role"]
            group = Arn("logs", arn.region, arn.account, f"log-group:{function['LoggingConfig']['LogGroup']}")
            answer = iam.simulate_principal_policy(
                PolicySourceArn=role, ActionNames=ACTIONS, ResourceArns=[f"{group}:log-stream:any"]
            )
    except ServiceFailure:
        return ""
    denied = [each["EvalActionName"] for each in answer["EvaluationResults"] if each["EvalDecision"] != "allowed"]
    if not denied:
        return ""
    role_name = role.rpartition("/")[2]
    return (
        f"The function's role {role_name} may not {', '.join(denied)}, so that its log is not stored. Allow it with:\n"
        f"aws iam attach-role-policy --role-name {role_name} --policy-arn {BASIC_POLICY}"
    )
