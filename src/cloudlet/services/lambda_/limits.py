"""Lambda's documented limits.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

MIB = 1024 * 1024

ZIPPED_BYTES = 50 * MIB
"""A package that comes in the request itself."""
UNZIPPED_BYTES = 250 * MIB
"""A package and all layers, unpacked."""
CREATE_REQUEST_BYTES = 70_167_211
"""A whole CreateFunction request."""
TOTAL_CODE_BYTES = 80_530_636_800
"""All packages of an account in a region (75 GB)."""

SYNCHRONOUS_PAYLOAD_BYTES = 6 * MIB
ASYNCHRONOUS_PAYLOAD_BYTES = 1 * MIB
CLIENT_CONTEXT_BYTES = 3583
"""Of base64, as sent. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""

ENVIRONMENT_BYTES = 4096
"""All environment variables, as the JSON object that AWS measures."""
IMAGE_CONFIG_BYTES = 32768
"""Cloudlet's own limit: AWS documents only how many arguments there may be."""
TIMEOUT_S = 900
MEMORY_MB = 10240
EPHEMERAL_STORAGE_MB = 10240
FUNCTION_NAME_LENGTH = 64
TAGS = 50
POLICY_BYTES = 20480
MINIMUM_UNRESERVED_CONCURRENCY = 100
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""

ASYNCHRONOUS_EVENT_AGE_S = 6 * 3600
ASYNCHRONOUS_ATTEMPTS = 3
"""The first try and two retries after function errors."""

PAGE_ITEMS = 50
"""ListFunctions and its like give at most this many at a time, whatever was asked for."""
CODE_URL_S = 600
"""A code location is good for ten minutes. https://docs.aws.amazon.com/lambda/latest/api/API_FunctionCodeLocation.html"""
SNAP_START_EPHEMERAL_STORAGE_MB = 512
"""https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html#snapstart-supported"""
