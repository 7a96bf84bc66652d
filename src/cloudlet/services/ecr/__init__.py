"""Amazon ECR: repositories of container images, and the registry that `docker push` and its like speak to."""

from cloudlet.services.ecr.service import EcrService

__all__ = ["EcrService"]
