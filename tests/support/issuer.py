"""An OpenID Connect issuer on this machine: its keys, its tokens, and the server that tells of them."""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

Json = dict[str, Any]
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
HASHES: dict[str, HashAlgorithm] = {"256": SHA256(), "384": SHA384(), "512": SHA512()}
CURVES = {"ES256": ("P-256", ec.SECP256R1()), "ES384": ("P-384", ec.SECP384R1()), "ES512": ("P-521", ec.SECP521R1())}


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, size_bytes: int = 0) -> str:
    return encoded(value.to_bytes(size_bytes or (value.bit_length() + 7) // 8, "big"))


def make_key(algorithm: str = "RS256") -> Key:
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm][1])
    return rsa.generate_private_key(65537, 2048)


def jwk(key: Key, algorithm: str, key_id: str, **members: Any) -> Json:
    """The public half as a JSON Web Key."""
    found: Json = {"kid": key_id, "use": "sig", "alg": algorithm}
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {**found, "kty": "RSA", "n": number(numbers.n), "e": number(numbers.e), **members}
    point = key.public_key().public_numbers()
    size = (key.key_size + 7) // 8
    crv = CURVES[algorithm][0]
    return {**found, "kty": "EC", "crv": crv, "x": number(point.x, size), "y": number(point.y, size), **members}


def sign(key: Key, algorithm: str, data: bytes) -> bytes:
    digest = HASHES[algorithm[2:]]
    if isinstance(key, rsa.RSAPrivateKey):
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
        return key.sign(data, padding.PKCS1v15() if algorithm[:2] == "RS" else pss, digest)
    size = (key.key_size + 7) // 8
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def make_token(key: Key, algorithm: str, key_id: str, claims: Json, **header: Any) -> str:
    head = {"alg": algorithm, "typ": "JWT", "kid": key_id, **header}
    data = ".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
    return f"{data}.{encoded(sign(key, algorithm, data.encode()))}"


@dataclass
class Issuer:
    """What the issuer serves, and how often it was asked."""

    url: str
    key: Key
    documents: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The URL without its scheme, as IAM names the provider."""
        return self.url.partition("://")[2]

    def publish(self, *keys: Json) -> None:
        self.documents["/keys"] = {"keys": list(keys)}

    def token(self, claims: Json, key: Key | None = None, key_id: str = "one", algorithm: str = "RS256") -> str:
        return make_token(key or self.key, algorithm, key_id, {"iss": self.url, **claims})


@contextmanager
def running_issuer(certificate: tuple[str, str] | None = None) -> Iterator[Issuer]:
    """An issuer; over HTTPS where it is given the files of a certificate chain and its key."""
    issuer = Issuer("", make_key())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            document = issuer.documents.get(self.path)
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(404 if document is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        # The handshake belongs to the connection's thread: a client that breaks it off must not end the server.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    scheme, host = ("http", "127.0.0.1") if certificate is None else ("https", "localhost")
    issuer.url = f"{scheme}://{host}:{server.server_port}"
    issuer.documents["/.well-known/openid-configuration"] = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
    issuer.publish(jwk(issuer.key, "RS256", "one"))
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
