"""The node's signature on messages, by which a subscriber knows that they are from here.

One RSA key and its certificate lie in the store, so that all nodes of it sign alike. The certificate is served at the
`SigningCertURL` of each message.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import asyncio
import base64
import datetime
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cloudlet.services.base import Platform
from cloudlet.store.base import Migration, Reader, Transaction

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

KEYS = Migration(
    3,
    (
        """CREATE TABLE sns_keys (
            id TEXT PRIMARY KEY, private_key TEXT NOT NULL, certificate TEXT NOT NULL, created_ms BIGINT NOT NULL)""",
    ),
)
KEY_BITS: Final = 2048
VALID_DAYS: Final = 3650
ROUTE: Final = "sns"
_FILE = "SimpleNotificationService-{}.pem"
_SHA1 = "1"
"""The signature version with SHA-1; version 2 has SHA-256."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What signs."""

    id: str
    private: "RSAPrivateKey"

    @property
    def path(self) -> str:
        """Where the certificate is, on a node."""
        return f"/_cloudlet/{ROUTE}/{_FILE.format(self.id)}"

    def sign(self, fields: Iterable[tuple[str, str]], version: str) -> str:
        """The signature of these fields, in their order: base64."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        text = "".join(f"{name}\n{value}\n" for name, value in fields).encode()
        algorithm = hashes.SHA1() if version == _SHA1 else hashes.SHA256()  # noqa: S303 - as the version says
        return base64.b64encode(self.private.sign(text, padding.PKCS1v15(), algorithm)).decode()


class Signer:
    """Keeps the key. It is made when the first message is to be signed."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._key: SigningKey | None = None
        self._loading = asyncio.Lock()

    def forget(self) -> None:
        """The store was emptied."""
        self._key = None

    async def key(self) -> SigningKey:
        """The key that signs."""
        if self._key is not None:
            return self._key
        async with self._loading:
            if self._key is None:
                row = await self._platform.store.read(_newest) or await self._make()
                self._key = _loaded(*row)
        return self._key

    async def certificate(self, file: str) -> bytes | None:
        """The certificate in a file of this name, PEM; None when there is none."""
        rows = await self._platform.store.read(
            lambda reader: reader.query("SELECT id, certificate FROM sns_keys LIMIT 100")
        )
        return next((str(row[1]).encode() for row in rows if _FILE.format(row[0]) == file), None)

    async def _make(self) -> tuple[str, str]:
        made_ms = int(self._platform.clock.now() * 1000)
        private_key, certificate = await asyncio.to_thread(make, made_ms / 1000)
        identifier = hashlib.sha256(certificate.encode()).hexdigest()[:32]

        def add(tx: Transaction) -> tuple[str, str]:
            if (found := _newest(tx)) is not None:
                return found
            tx.execute(
                "INSERT INTO sns_keys (id, private_key, certificate, created_ms) VALUES (?, ?, ?, ?)",
                (identifier, private_key, certificate, made_ms),
            )
            return identifier, private_key

        return await self._platform.store.transact(add)


def make(now: float) -> tuple[str, str]:
    """A new private key and its certificate, PEM. `now`: seconds since the epoch."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    private = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - datetime.timedelta(days=1))
        .not_valid_after(moment + datetime.timedelta(days=VALID_DAYS))
        .sign(private, hashes.SHA256())
    )
    encoded = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return encoded.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def _newest(reader: Reader) -> tuple[str, str] | None:
    row = reader.one("SELECT id, private_key FROM sns_keys ORDER BY created_ms DESC, id LIMIT 1")
    return (str(row[0]), str(row[1])) if row is not None else None


def _loaded(identifier: str, private_key: str) -> SigningKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    private = serialization.load_pem_private_key(
        private_key.encode(),
        None,
        unsafe_skip_rsa_key_validation=True,  # it is our own; the check takes longer than a hundred signatures
    )
    if not isinstance(private, RSAPrivateKey):
        raise TypeError("the signing key is no RSA key")
    return SigningKey(identifier, private)
