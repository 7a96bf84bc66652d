"""X.509 certificates and SSH keys as they are uploaded: what is read of them, and when they are refused.

cryptography is imported by what needs it: it takes 30 ms of a node's start.
"""

import hashlib
from typing import TYPE_CHECKING

from cloudlet.services.iam.errors import InvalidPublicKey, KeyPairMismatch, MalformedCertificate

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def parse_certificate(body: str) -> "Certificate":
    """The certificate in a PEM text. Raises MalformedCertificate."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(body.encode())
    except ValueError as error:
        raise MalformedCertificate(f"Certificate {body} is malformed.") from error


def check_private_key(certificate: "Certificate", private_key: str) -> None:
    """Raise KeyPairMismatch unless `private_key` (PEM, without a password) is that of the certificate."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    try:
        key = load_pem_private_key(private_key.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyPairMismatch("Private key is malformed.") from error
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise KeyPairMismatch("Private key does not match the certificate.")


def ssh_key_forms(body: str) -> tuple[str, str]:
    """A public key as OpenSSH and as PEM writes it. Only RSA keys of 2,048 bits and more. Raises InvalidPublicKey."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_public_key,
        load_ssh_public_key,
    )

    try:
        load = load_ssh_public_key if body.startswith("ssh-") else load_pem_public_key
        key = load(body.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidPublicKey("The public key is malformed or otherwise invalid.") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
        raise InvalidPublicKey("The public key is malformed or otherwise invalid.")
    ssh = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return ssh, key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def fingerprint(pem: str) -> str:
    """The MD5 fingerprint of a public key, as IAM shows it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    key = load_pem_public_key(pem.encode())
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = hashlib.md5(der, usedforsecurity=False).hexdigest()
    return ":".join(digest[start : start + 2] for start in range(0, len(digest), 2))
