"""CloudWatch Logs: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html"""

from cloudlet.services.logs.service import LogsService

__all__ = ["LogsService"]
