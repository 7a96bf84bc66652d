"""Amazon SNS: topics, standard and FIFO, and who gets their messages."""

from cloudlet.services.sns.service import SnsService

__all__ = ["SnsService"]
