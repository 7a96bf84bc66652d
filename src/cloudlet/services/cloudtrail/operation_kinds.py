"""What kind of event an operation makes: of data or of management, reading or not, and under which name.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html
"""

from collections.abc import Mapping
from functools import lru_cache

from cloudlet.iam.requirements import action_of

_DATA: Mapping[str, str] = {
    "cloudwatch": "GetMetricData GetMetricStatistics GetMetricWidgetImage PutMetricData",
    "dynamodb": "BatchExecuteStatement BatchGetItem BatchWriteItem DeleteItem ExecuteStatement ExecuteTransaction "
    "GetItem PutItem Query Scan TransactGetItems TransactWriteItems UpdateItem",
    "dynamodbstreams": "GetRecords GetShardIterator",
    "events": "PutEvents",
    "firehose": "PutRecord PutRecordBatch",
    "kinesis": "GetRecords GetShardIterator PutRecord PutRecords SubscribeToShard",
    "lambda": "Invoke InvokeAsync InvokeWithResponseStream",
    "logs": "FilterLogEvents GetLogEvents GetLogRecord GetQueryResults PutLogEvents StartLiveTail",
    "s3": "AbortMultipartUpload CompleteMultipartUpload CopyObject CreateMultipartUpload DeleteObject "
    "DeleteObjectTagging DeleteObjects GetObject GetObjectAcl GetObjectAttributes GetObjectLegalHold "
    "GetObjectRetention GetObjectTagging HeadBucket HeadObject ListMultipartUploads ListObjectVersions ListObjects "
    "ListObjectsV2 ListParts PutObject PutObjectAcl PutObjectLegalHold PutObjectRetention PutObjectTagging "
    "RestoreObject SelectObjectContent UploadPart UploadPartCopy",
    "sns": "Publish PublishBatch",
    "sqs": "ChangeMessageVisibility ChangeMessageVisibilityBatch DeleteMessage DeleteMessageBatch ReceiveMessage "
    "SendMessage SendMessageBatch",
    "stepfunctions": "GetActivityTask SendTaskFailure SendTaskHeartbeat SendTaskSuccess StartSyncExecution",
    "xray": "GetTraceSummaries PutTelemetryRecords PutTraceSegments",
}
"""Operations on data. Their events are not recorded unless the node is told to: there are too many."""
DATA_EVENTS = frozenset((service, name) for service, names in _DATA.items() for name in names.split())

_READING = ("Get", "List", "Describe", "Head", "Lookup", "Search", "BatchGet", "Query", "Scan", "Test", "Validate")
_READ_ONLY = frozenset(
    {
        ("sts", "AssumeRole"),
        ("sts", "AssumeRoleWithSAML"),
        ("sts", "AssumeRoleWithWebIdentity"),
        ("sts", "GetCallerIdentity"),
        ("sts", "GetFederationToken"),
        ("sts", "GetSessionToken"),
    }
)
"""Operations that CloudTrail takes for reads, though the authorisation reference has another level for them."""

_LAMBDA_VERSIONS: Mapping[str, str] = {
    "20150331": "CreateAlias CreateEventSourceMapping CreateFunction DeleteAlias DeleteEventSourceMapping "
    "DeleteFunction GetAlias GetEventSourceMapping ListAliases ListEventSourceMappings ListFunctions "
    "ListVersionsByFunction PublishVersion UpdateAlias UpdateEventSourceMapping",
    "20150331v2": "AddPermission GetFunction GetFunctionConfiguration GetPolicy RemovePermission UpdateFunctionCode "
    "UpdateFunctionConfiguration",
    "20160819": "GetAccountSettings",
    "20170331": "ListTags",
    "20170331v2": "TagResource UntagResource",
    "20171031": "DeleteFunctionConcurrency PutFunctionConcurrency",
    "20181031": "DeleteLayerVersion GetLayerVersion ListLayerVersions ListLayers PublishLayerVersion",
}
"""Lambda's events are named with the version of their interface.

https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html
"""
_EVENT_NAMES = {
    ("lambda", name): f"{name}{version}" for version, names in _LAMBDA_VERSIONS.items() for name in names.split()
}
_SOURCES: Mapping[str, str] = {"cloudwatch": "monitoring"}
"""The name of an event's source, where it is not the prefix of the service's actions."""
GLOBAL_SERVICES = frozenset({"cloudfront", "iam", "organizations", "route53"})
GLOBAL_REGION = "us-east-1"
"""Events of services without regions are kept in this one."""


def event_name(service: str, operation: str) -> str:
    """What events of an operation are called."""
    return _EVENT_NAMES.get((service, operation), operation)


@lru_cache(maxsize=4096)
def is_read_only(service: str, operation: str) -> bool:
    """True for an operation that changes nothing."""
    if (service, operation) in _READ_ONLY:
        return True
    found = action_of(service, operation)
    return found[0].level in ("List", "Read") if found is not None else operation.startswith(_READING)


@lru_cache(maxsize=4096)
def event_source(service: str, operation: str) -> str:
    """Which service an event is of: `lambda.amazonaws.com`."""
    found = action_of(service, operation)
    prefix = found[1].prefix if found is not None else service
    return f"{_SOURCES.get(prefix, prefix)}.amazonaws.com"
