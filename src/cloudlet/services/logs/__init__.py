"""CloudWatch Logs: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html"""

from cloudlet.services.logs.ingestion import Entry
from cloudlet.services.logs.service import LogsService

__all__ = ["Entry", "LogsService"]
