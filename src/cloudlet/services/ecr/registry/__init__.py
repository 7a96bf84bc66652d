"""The registry: the distribution protocol of OCI and Docker, spoken to ECR's operations.

    docker push --HTTP--> front: who? which operation? --the dispatcher--> ECR (IAM, CloudTrail, the store)

It has no state and no rights of its own: whatever a client does here is an operation of ECR, called as whom its token
names, so that permissions, events and errors are those of the API.
https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""
