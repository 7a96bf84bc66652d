"""What lets clients in that speak HTTP's basic authentication: the tokens of GetAuthorizationToken, and signed links.

A token's password is the caller, sealed with the key by which session tokens are sealed too, but as another kind of
message: neither can be used as the other.
https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html#registry-auth-token
"""

import base64
import binascii
from typing import Any, Final

import orjson

from cloudlet.clock import Clock
from cloudlet.iam.credentials import Credentials
from cloudlet.iam.principals import Principal
from cloudlet.iam.tokens import InvalidToken, principal_of_values, principal_values

USER: Final = "AWS"
TOKEN_S: Final = 12 * 3600
LINK_S: Final = 3600
_TOKENS: Final = "registry"
_LINKS: Final = "layers"
_MAX_LENGTH: Final = 64 * 1024


class RegistryTokens:
    """Makes and opens tokens and links."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials = credentials
        self._clock = clock

    def issue(self, principal: Principal, region: str) -> tuple[str, float]:
        """A token for `principal`, and when it ends (seconds since the epoch)."""
        expires = self._clock.now() + TOKEN_S
        content = [principal_values(principal), principal.access_key_id, region, expires]
        sealed = self._credentials.seal_message(_TOKENS, orjson.dumps(content).decode())
        password = {"payload": sealed, "version": "2", "type": "DATA_KEY", "expiration": int(expires)}
        encoded = base64.b64encode(orjson.dumps(password)).decode()
        return base64.b64encode(f"{USER}:{encoded}".encode()).decode(), expires

    def open(self, password: str) -> tuple[Principal, str]:
        """Whose token it is, and of which region. Raises InvalidToken."""
        try:
            if len(password) > _MAX_LENGTH:
                raise InvalidToken("too long")
            values = orjson.loads(base64.b64decode(password, validate=True))
            sealed = values["payload"]
            content = orjson.loads(self._credentials.open_message(_TOKENS, sealed))
        except (binascii.Error, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidToken("not one of this registry's") from error
        fields, access_key_id, region, expires = content
        if expires <= self._clock.now():
            raise InvalidToken("expired")
        return principal_of_values(access_key_id, fields), region

    def link(self, digest: str) -> str:
        """What in a link stands for the right to have a layer for a while."""
        content: list[Any] = [digest, self._clock.now() + LINK_S]
        return self._credentials.seal_message(_LINKS, orjson.dumps(content).decode())

    def open_link(self, text: str) -> str:
        """The layer's digest. Raises InvalidToken."""
        if len(text) > 2048:
            raise InvalidToken("too long")
        digest, expires = orjson.loads(self._credentials.open_message(_LINKS, text))
        if expires <= self._clock.now():
            raise InvalidToken("expired")
        return str(digest)
