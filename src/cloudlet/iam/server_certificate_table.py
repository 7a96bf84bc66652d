"""Server certificates in the store."""

from dataclasses import dataclass

from cloudlet.arn import Arn
from cloudlet.store.base import Reader, Transaction

KIND = "server-certificate"
"""What server certificates are called in the table of tags."""


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A server certificate (PEM). Its private key is checked when it is uploaded and not kept: nothing here uses it."""

    account: str
    name: str
    path: str
    certificate_id: str
    body: str
    chain: str | None
    expires: float
    uploaded: float
    """Both in seconds since the epoch."""

    @property
    def key(self) -> str:
        """The name as it is unique: without regard to case."""
        return self.name.lower()

    @property
    def arn(self) -> str:
        """`arn:aws:iam::<account>:server-certificate/<path><name>`."""
        return str(Arn("iam", "", self.account, f"server-certificate{self.path}{self.name}"))


_COLUMNS = "account, certificate_name, path, certificate_id, body, chain, expires, uploaded"


def find(reader: Reader, account: str, name: str) -> ServerCertificate | None:
    """The certificate of this name, in any case."""
    row = reader.one(
        f"SELECT {_COLUMNS} FROM iam_server_certificates WHERE account = ? AND certificate_key = ?",
        (account, name.lower()),
    )
    return None if row is None else ServerCertificate(*row)


def all_of(reader: Reader, account: str) -> list[ServerCertificate]:
    """All certificates of an account, in the order of their keys; a quota keeps them few."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM iam_server_certificates WHERE account = ? ORDER BY certificate_key LIMIT 1000",
        (account,),
    )
    return [ServerCertificate(*row) for row in rows]


def add(tx: Transaction, certificate: ServerCertificate) -> None:
    """Keep a new certificate. Raises UniqueViolation."""
    tx.execute(
        f"INSERT INTO iam_server_certificates (certificate_key, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            certificate.key,
            certificate.account,
            certificate.name,
            certificate.path,
            certificate.certificate_id,
            certificate.body,
            certificate.chain,
            certificate.expires,
            certificate.uploaded,
        ),
    )


def delete(tx: Transaction, certificate: ServerCertificate) -> None:
    """Forget a certificate."""
    tx.execute(
        "DELETE FROM iam_server_certificates WHERE account = ? AND certificate_key = ?",
        (certificate.account, certificate.key),
    )
