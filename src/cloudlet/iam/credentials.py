"""Known keys: the root key pair, the keys that tools of this ecosystem use in dev mode, and temporary credentials."""

import asyncio
import base64
import os
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

from cloudlet.clock import Clock
from cloudlet.config import Config
from cloudlet.iam import access_key_table, tables, user_table
from cloudlet.iam.access_key_table import KEYS_CHANNEL, AccessKey
from cloudlet.iam.key_uses import KeyUses
from cloudlet.iam.principals import KnownKey, Principal
from cloudlet.iam.tokens import MASTER_KEY_BYTES, Tokens
from cloudlet.ids import Ids
from cloudlet.store.base import Reader, Store, Transaction

CREDENTIALS_FILE = "credentials"
DEV_KEY = "test"
_MASTER_KEY = "session-tokens"
_KNOWN_KEYS = 4096
_TEMPORARY_PREFIX = "ASIA"


@dataclass(frozen=True, slots=True)
class SessionCredentials:
    """Temporary credentials as they are handed out."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires: float
    """Seconds since the epoch, platform time, a whole number as on AWS."""


def make_access_key_id(prefix: str, account: str, ids: Ids) -> str:
    """An access key id that tells its account, as AWS's do: 20 characters, the last 16 of them base32.

    These 80 bits are a one, 40 bits of the account, and 39 random ones.
    """
    random = ids.bytes(5)
    head = 1 << 47 | int(account) << 7 | random[0] >> 1
    return prefix + base64.b32encode(head.to_bytes(6, "big") + random[1:]).decode()


def account_of(access_key_id: str) -> str | None:
    """The account that an access key id tells; None when it is not of this form."""
    try:
        head = int.from_bytes(base64.b32decode(access_key_id[4:20])[:6], "big")
    except ValueError:
        return None
    number = (head & ~(1 << 47)) >> 7
    return f"{number:012d}" if head >> 47 == 1 and number < 10**12 else None


class Credentials:
    """Finds what an access key stands for, and makes temporary credentials. One instance per node.

    `open` comes first: it makes the master key and the root key pair when the store has none.
    """

    def __init__(self, config: Config, store: Store, clock: Clock, ids: Ids) -> None:
        self._config = config
        self._store = store
        self._clock = clock
        self._ids = ids
        self._known: OrderedDict[str, KnownKey] = OrderedDict()
        self._generation = self._loaded = self._forgotten = 0
        self._loading = asyncio.Lock()
        self.uses = KeyUses(store, clock)
        self._root: AccessKey
        self._tokens: Tokens

    async def open(self) -> None:
        """Make or read what is needed, and write the credentials file. Raises StoreError, OSError."""
        await self._store.migrate("iam", tables.MIGRATIONS)
        self._store.listen(KEYS_CHANNEL, self._forget)
        await self._load(self._new_root_key())
        write_credentials_file(self._config.data / CREDENTIALS_FILE, *self.root_key)

    async def reset(self) -> None:
        """The store has been emptied: put the root key pair back, so that who has it can go on. All sessions end."""
        await self._load(self._root)

    def _forget(self, access_key_id: str) -> None:
        """A key is not what it was, or, where none is named, a node of this store has made keys anew."""
        self._forgotten += 1
        if access_key_id:
            self._known.pop(access_key_id, None)
        else:
            self._generation += 1

    async def _refresh(self) -> None:
        """Take the keys that are in force now; all who ask meanwhile wait for them."""
        async with self._loading:
            while self._loaded != self._generation:
                generation = self._generation
                await self._load(self._root)
                self._loaded = generation

    async def _load(self, root: AccessKey) -> None:
        """Take the keys that the store has; it gets `root` and a new master key where it has none."""
        new_master_key = self._ids.bytes(MASTER_KEY_BYTES)

        def load(tx: Transaction) -> tuple[AccessKey, bytes]:
            master_key = tables.secret(tx, _MASTER_KEY)
            keys = access_key_table.of_user(tx, root.account, root.user_key)
            if master_key is None:
                tables.add_secret(tx, _MASTER_KEY, new_master_key)
            if not keys:
                access_key_table.add(tx, root)
            if master_key is None or not keys:
                tx.notify(KEYS_CHANNEL)
            return (keys or [root])[0], master_key or new_master_key

        self._root, master_key = await self._store.transact(load)
        self._tokens = Tokens(master_key, self._ids)
        self._known.clear()

    def _new_root_key(self) -> AccessKey:
        account = self._config.account
        access_key_id = make_access_key_id("AKIA", account, self._ids)
        secret = self._ids.secret_access_key()
        return AccessKey(access_key_id, account, "", secret, "Active", self._clock.now())

    @property
    def root_key(self) -> tuple[str, str]:
        """The root key pair of the node's account: access key id and secret."""
        return self._root.access_key_id, self._root.secret

    async def find(self, access_key_id: str, session_token: str | None, *, sandboxed: bool = False) -> KnownKey | None:
        """What this access key stands for, None when it is not known or not active.

        `sandboxed` is for requests that come from inside a sandbox: there the keys of dev mode mean nothing, so that
        a function has what its role grants and no more. Raises InvalidToken.
        """
        if self._loaded != self._generation:
            await self._refresh()
        if access_key_id.startswith(_TEMPORARY_PREFIX):
            return self._tokens.open(access_key_id, session_token) if session_token else None
        known = self._known.get(access_key_id)
        if known is None:
            forgotten = self._forgotten
            known = self._dev_key(access_key_id) or await self._lasting_key(access_key_id)
            # What was read while a key changed may be old.
            if known is not None and forgotten == self._forgotten:
                self._keep(access_key_id, known)
        else:
            self._known.move_to_end(access_key_id)
        return None if known is None or (sandboxed and known.secret is None) else known

    def _keep(self, access_key_id: str, known: KnownKey) -> None:
        self._known[access_key_id] = known
        if len(self._known) > _KNOWN_KEYS:
            self._known.popitem(last=False)

    def _dev_key(self, access_key_id: str) -> KnownKey | None:
        """`test` is the account of the configuration, twelve digits are the account that they name; loopback only."""
        if self._config.auth != "dev" or not self._config.is_loopback:
            return None
        if access_key_id == DEV_KEY:
            return KnownKey(None, Principal.root(self._config.account, access_key_id))
        if len(access_key_id) == 12 and access_key_id.isascii() and access_key_id.isdigit():
            return KnownKey(None, Principal.root(access_key_id, access_key_id))
        return None

    async def _lasting_key(self, access_key_id: str) -> KnownKey | None:
        def read(reader: Reader) -> KnownKey | None:
            key = access_key_table.find(reader, access_key_id)
            if key is None or key.status != "Active":
                return None
            if not key.user_key:
                return KnownKey(key.secret, Principal.root(key.account, access_key_id))
            user = user_table.find(reader, key.account, key.user_key)
            if user is None:
                return None
            return KnownKey(key.secret, Principal("user", key.account, user.arn, user.user_id, access_key_id))

        return await self._store.read(read)

    def issue(self, principal: Principal, duration_s: int, minimum_token_length: int = 0) -> SessionCredentials:
        """Temporary credentials with which their bearer is `principal` (its access key is made here)."""
        now = self._clock.now()
        access_key_id = make_access_key_id(_TEMPORARY_PREFIX, principal.account, self._ids)
        principal = replace(principal, access_key_id=access_key_id, token_issued=now)
        secret, expires = self._ids.secret_access_key(), float(int(now) + duration_s)
        token = self._tokens.seal(KnownKey(secret, principal, expires), minimum_token_length)
        return SessionCredentials(access_key_id, secret, token, expires)

    def seal_message(self, account: str, text: str) -> str:
        """An encoded authorization message that STS decodes for `account`: see `iam.authorization_message`."""
        return self._tokens.seal_message(account, text)

    def open_message(self, account: str, message: str) -> str:
        """What an encoded authorization message of `account` says. Raises InvalidToken."""
        return self._tokens.open_message(account, message)


def write_credentials_file(path: Path, access_key_id: str, secret: str) -> None:
    """Write an AWS credentials file that only its owner can read. Raises OSError."""
    text = f"[default]\naws_access_key_id = {access_key_id}\naws_secret_access_key = {secret}\n"
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
