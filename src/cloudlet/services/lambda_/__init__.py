"""AWS Lambda.

A node makes the service's parts in two steps, for compute stands between them: `FunctionLogs`, `FunctionMetrics`,
`LogPermission` and `FunctionCredentials` are given to the compute engine, and the engine to `LambdaService`.
"""

from cloudlet.services.lambda_.function_logs import FunctionLogs
from cloudlet.services.lambda_.function_metrics import FunctionMetrics
from cloudlet.services.lambda_.log_permission import LogPermission
from cloudlet.services.lambda_.role import FunctionCredentials
from cloudlet.services.lambda_.service import LambdaService

__all__ = ["FunctionCredentials", "FunctionLogs", "FunctionMetrics", "LambdaService", "LogPermission"]
