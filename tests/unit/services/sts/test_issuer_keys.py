"""Issuers over HTTPS: vouched for by a certificate authority, or by the thumbprint of one of their certificates."""

import datetime
import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cloudlet.services.sts.issuer_keys import (
    MAX_BYTES,
    CertificateMismatch,
    IssuerUnusable,
    fetch_keys,
    is_allowed_issuer,
)
from tests.support.issuer import running_issuer

PrivateKey = ec.EllipticCurvePrivateKey


def _certificate(name: str, key: PrivateKey, signer: tuple[x509.Certificate, PrivateKey] | None) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    signing_key = signer[1] if signer else key
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer[0].subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
        .sign(signing_key, SHA256())
    )


def _thumbprint(certificate: x509.Certificate) -> str:
    return hashlib.sha1(certificate.public_bytes(Encoding.DER), usedforsecurity=False).hexdigest()


class Server:
    """The files of a server's certificate and of the authority that signed it; a stranger's certificate beside it."""

    def __init__(self, folder: Path, *, shows_stranger: bool = False) -> None:
        keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
        self.authority = _certificate("authority", keys[0], None)
        self.stranger = _certificate("stranger", keys[2], None)
        leaf = _certificate("localhost", keys[1], (self.authority, keys[0]))
        chain = [leaf, self.stranger if shows_stranger else self.authority]
        chain_file, key_file = folder / "chain.pem", folder / "key.pem"
        chain_file.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in chain))
        key_file.write_bytes(keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.files = str(chain_file), str(key_file)


def test_a_thumbprint_vouches_for_the_authority_of_an_issuer(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with running_issuer(server.files) as issuer:
        assert len(fetch_keys(issuer.url, [_thumbprint(server.authority)])) == 1
        for thumbprints in ([], ["0" * 40]):
            with pytest.raises(CertificateMismatch):
                fetch_keys(issuer.url, thumbprints)


def test_to_show_a_certificate_is_not_to_be_signed_by_it(tmp_path: Path) -> None:
    server = Server(tmp_path, shows_stranger=True)
    with running_issuer(server.files) as issuer, pytest.raises(CertificateMismatch):
        fetch_keys(issuer.url, [_thumbprint(server.stranger)])


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://issuer.example/path", True),
        ("http://127.0.0.1:80", True),
        ("http://localhost:8080/x", True),
        ("http://[::1]:80", True),
        ("http://issuer.example", False),
        ("http://169.254.169.254", False),
        ("http://localhost.example", False),
        ("https://user:word@issuer.example", False),
        ("https://issuer.example?x=1", False),
        ("https://issuer.example/a b", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("https://[", False),
        ("https://issuer.example:x", False),
    ],
)
def test_only_https_is_asked_and_this_machine(url: str, *, allowed: bool) -> None:
    assert is_allowed_issuer(url, with_http=True) == allowed
    assert is_allowed_issuer(url, with_http=False) == (allowed and url.startswith("https:"))


def test_too_much_is_not_read() -> None:
    with running_issuer() as issuer:
        issuer.documents["/keys"] = b" " * (MAX_BYTES + 1)
        with pytest.raises(IssuerUnusable):
            fetch_keys(issuer.url, [], with_http=True)


def test_keys_are_not_fetched_from_a_less_safe_place(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with running_issuer(server.files) as issuer:
        configuration = {"issuer": issuer.url, "jwks_uri": "http://127.0.0.1:9/keys"}
        issuer.documents["/.well-known/openid-configuration"] = configuration
        with pytest.raises(IssuerUnusable):
            fetch_keys(issuer.url, [_thumbprint(server.authority)])
