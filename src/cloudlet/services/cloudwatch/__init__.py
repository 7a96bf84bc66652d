"""Amazon CloudWatch's metrics: taken in, kept, and computed with."""

from cloudlet.services.cloudwatch.service import CloudWatchService

__all__ = ["CloudWatchService"]
