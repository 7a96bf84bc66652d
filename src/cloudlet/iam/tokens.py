"""Session tokens: temporary credentials that need no table.

A token is the session itself - who, until when, narrowed how, and the secret that it signs with - sealed with AES-GCM
under the store's master key, with the access key as associated data, so that it fits no other key. Every node of a
store can open it, and none has to ask the store for each call.

    base64( format 1 byte | nonce 12 bytes | AES-256-GCM( JSON, associated data: access key id ) )

Rejected: rows in a table (a durable write for each AssumeRole, a read for each call) and signing without sealing (the
secret would be readable in it).
"""

import base64
import binascii
import zlib
from collections import OrderedDict
from dataclasses import fields
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cloudlet.errors import CloudletError
from cloudlet.iam.principals import KnownKey, Principal
from cloudlet.ids import Ids

MASTER_KEY_BYTES = 32
_FORMAT = b"\x01"
_NONCE_BYTES = 12
_MAX_TOKEN_LENGTH = 32 * 1024
_OPENED_TOKENS = 4096
_PRINCIPAL_FIELDS = {field.name: field for field in fields(Principal) if field.name != "access_key_id"}


class InvalidToken(CloudletError):
    """The session token is not one of this store's, was changed, or belongs to another access key."""


class Tokens:
    """Seals and opens session tokens. Opened ones are kept, up to a bound, least recently used first out."""

    def __init__(self, master_key: bytes, ids: Ids) -> None:
        self._cipher = AESGCM(master_key)
        self._ids = ids
        self._opened: OrderedDict[tuple[str, str], KnownKey] = OrderedDict()

    def seal(self, session: KnownKey, minimum_length: int = 0) -> str:
        """The token of `session`, at least `minimum_length` characters long."""
        content = orjson.dumps([principal_values(session.principal), session.secret, session.expires])
        content += b" " * max(0, minimum_length * 3 // 4 - len(content) - _NONCE_BYTES - 17)
        # The nonce is random: a master key is good for 2**32 tokens before one is likely to come again.
        nonce = self._ids.bytes(_NONCE_BYTES)
        access_key_id = session.principal.access_key_id.encode()
        return base64.b64encode(_FORMAT + nonce + self._cipher.encrypt(nonce, content, access_key_id)).decode()

    def seal_message(self, account: str, text: str) -> str:
        """`text`, readable for this store only, and only as a message for `account`."""
        nonce = self._ids.bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, zlib.compress(text.encode()), _message_data(account))
        return base64.urlsafe_b64encode(_FORMAT + nonce + sealed).decode()

    def open_message(self, account: str, message: str) -> str:
        """What was sealed as a message for `account`. Raises InvalidToken."""
        try:
            sealed = base64.b64decode(message, altchars=b"-_", validate=True)
            nonce, content = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
            if sealed[:1] != _FORMAT or len(content) < 16:
                raise InvalidToken("another format")
            return zlib.decompress(self._cipher.decrypt(nonce, content, _message_data(account))).decode()
        except (binascii.Error, ValueError, InvalidTag) as error:
            raise InvalidToken("not one of this store's") from error

    def open(self, access_key_id: str, token: str) -> KnownKey:
        """The session of a token, expired or not. Raises InvalidToken."""
        key = access_key_id, token
        if session := self._opened.get(key):
            self._opened.move_to_end(key)
            return session
        session = self._opened[key] = self._open(access_key_id, token)
        if len(self._opened) > _OPENED_TOKENS:
            self._opened.popitem(last=False)
        return session

    def _open(self, access_key_id: str, token: str) -> KnownKey:
        if len(token) > _MAX_TOKEN_LENGTH:
            raise InvalidToken("too long")
        try:
            sealed = base64.b64decode(token, validate=True)
            nonce, content = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
            if sealed[:1] != _FORMAT or len(content) < 16:
                raise InvalidToken("another format")
            principal, secret, expires = orjson.loads(self._cipher.decrypt(nonce, content, access_key_id.encode()))
        except (binascii.Error, ValueError, InvalidTag) as error:
            raise InvalidToken("not one of this store's") from error
        return KnownKey(secret, principal_of_values(access_key_id, principal), expires)


def _message_data(account: str) -> bytes:
    """Associated data of messages. No access key has this form, so that no token is a message or the other way."""
    return f"message for {account}".encode()


def principal_values(principal: Principal) -> dict[str, Any]:
    """What a principal is, without its access key and without what is the default; for JSON."""
    values = {name: getattr(principal, name) for name in _PRINCIPAL_FIELDS}
    return {name: value for name, value in values.items() if value != _PRINCIPAL_FIELDS[name].default}


def principal_of_values(access_key_id: str, values: dict[str, Any]) -> Principal:
    """The principal of `principal_values`."""
    values = {name: _tuples(value) for name, value in values.items()}
    return Principal(access_key_id=access_key_id, **values)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
