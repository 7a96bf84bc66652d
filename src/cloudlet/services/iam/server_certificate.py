"""Server certificates.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_server-certs.html
"""

from typing import Any

from cloudlet.iam import entity_table, server_certificate_table
from cloudlet.iam.server_certificate_table import KIND, ServerCertificate
from cloudlet.services.iam import limits
from cloudlet.services.iam.errors import EntityAlreadyExists, NoSuchEntity
from cloudlet.services.iam.shapes import moment, tag_list
from cloudlet.services.iam.tags import put as put_tags
from cloudlet.store.base import Reader, Transaction


def get(reader: Reader, account: str, name: str) -> ServerCertificate:
    """The certificate of this name. Raises NoSuchEntity."""
    certificate = server_certificate_table.find(reader, account, name)
    if certificate is None:
        raise NoSuchEntity(f"The Server Certificate with name {name} cannot be found.")
    return certificate


def check_free(reader: Reader, account: str, name: str) -> None:
    """Raise EntityAlreadyExists when a certificate has this name."""
    if server_certificate_table.find(reader, account, name):
        raise EntityAlreadyExists(f"The Server Certificate with name {name} already exists.")


def create(tx: Transaction, certificate: ServerCertificate, tags: list[tuple[str, str]]) -> None:
    """Keep a new certificate. Raises EntityAlreadyExists, LimitExceeded."""
    check_free(tx, certificate.account, certificate.name)
    count = len(server_certificate_table.all_of(tx, certificate.account)) + 1
    limits.check_quota("ServerCertificatesPerAccount", count, limits.SERVER_CERTIFICATES_PER_ACCOUNT)
    server_certificate_table.add(tx, certificate)
    put_tags(tx, certificate.account, KIND, certificate.key, tags)


def delete(tx: Transaction, account: str, name: str) -> None:
    """Forget a certificate. Raises NoSuchEntity."""
    certificate = get(tx, account, name)
    entity_table.delete_all_tags(tx, account, KIND, certificate.key)
    server_certificate_table.delete(tx, certificate)


def describe(certificate: ServerCertificate) -> dict[str, Any]:
    """A certificate without its texts."""
    return {
        "Path": certificate.path,
        "ServerCertificateName": certificate.name,
        "ServerCertificateId": certificate.certificate_id,
        "Arn": certificate.arn,
        "UploadDate": moment(certificate.uploaded),
        "Expiration": moment(certificate.expires),
    }


def describe_whole(reader: Reader, certificate: ServerCertificate) -> dict[str, Any]:
    """All of a certificate."""
    tags = entity_table.tags(reader, certificate.account, KIND, certificate.key)
    chain = {} if certificate.chain is None else {"CertificateChain": certificate.chain}
    return {
        "ServerCertificateMetadata": describe(certificate),
        "CertificateBody": certificate.body,
        **chain,
        "Tags": tag_list(tags),
    }
