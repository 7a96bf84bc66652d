"""What tags a queue may have.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-tags.html
"""

import re
from collections.abc import Mapping
from typing import Final

from cloudlet.services.sqs.errors import InvalidParameterValue

MAX_TAGS: Final = 50
MAX_KEY: Final = 128
MAX_VALUE: Final = 256
KEY_LENGTH: Final = f"Tag keys must be between 1 and {MAX_KEY} characters in length."
_CHARACTERS: Final = re.compile(r"[\w\s_.:/=+\-@]*")


def check(tags: Mapping[str, str], queue_name: str) -> None:
    """Raises InvalidParameterValue for tags that this queue cannot have."""
    if len(tags) > MAX_TAGS:
        raise InvalidParameterValue(f"Too many tags added for queue {queue_name}.")
    for key, value in tags.items():
        if not 1 <= len(key) <= MAX_KEY:
            raise InvalidParameterValue(KEY_LENGTH)
        if len(value) > MAX_VALUE:
            raise InvalidParameterValue(f"Tag values must be between 0 and {MAX_VALUE} characters in length.")
        if key.lower().startswith("aws:"):
            raise InvalidParameterValue("Tag keys that begin with 'aws:' are reserved for system use.")
        if not (_CHARACTERS.fullmatch(key) and _CHARACTERS.fullmatch(value)):
            raise InvalidParameterValue(
                "Tags can only contain Unicode letters, digits, white space and these characters: _ . : / = + - @"
            )
