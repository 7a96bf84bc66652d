"""Amazon SQS: queues, standard and FIFO."""

from cloudlet.services.sqs.service import SqsService

__all__ = ["SqsService"]
