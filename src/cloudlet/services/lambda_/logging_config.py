"""LoggingConfig: the format of a function's log, which levels of it are kept, and in which log group.

https://docs.aws.amazon.com/lambda/latest/api/API_LoggingConfig.html
"""

from collections.abc import Mapping
from typing import Any

from cloudlet.services.lambda_.errors import InvalidParameterValue

LEVELS = {"ApplicationLogLevel": "application_log_level", "SystemLogLevel": "system_log_level"}
DEFAULT_LEVEL = "INFO"
"""Of both, once the format is JSON."""


def changes(current_format: str, given: Mapping[str, Any]) -> dict[str, str]:
    """What `given` changes in a configuration whose format was `current_format`. Raises InvalidParameterValue."""
    log_format = given.get("LogFormat") or current_format
    levels = {field: given[member] for member, field in LEVELS.items() if given.get(member)}
    if log_format != "JSON":
        if levels:
            raise InvalidParameterValue(
                'LogLevel is not supported when LogFormat is set to "Text". '
                'Remove LogLevel from your request or change the LogFormat to "Json" and try again.'
            )
        levels = dict.fromkeys(LEVELS.values(), "")
    elif current_format != "JSON":
        levels = dict.fromkeys(LEVELS.values(), DEFAULT_LEVEL) | levels
    changed = {"log_format": log_format, **levels}
    if (log_group := given.get("LogGroup")) is not None:
        changed["log_group"] = log_group
    return changed


def shown(log_format: str, application_level: str, system_level: str, log_group: str) -> dict[str, str]:
    """LoggingConfig as the API shows it."""
    levels = {"ApplicationLogLevel": application_level, "SystemLogLevel": system_level}
    return {"LogFormat": log_format, **(levels if log_format == "JSON" else {}), "LogGroup": log_group}
