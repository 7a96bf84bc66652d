"""JSON Web Tokens: read, and verified with the keys of a key set.

Only what OpenID Connect's identity tokens are: compact, signed, with an asymmetric algorithm. What algorithm a key is
for is the key's own matter, so that a token cannot have its signature checked as something else.

https://www.rfc-editor.org/rfc/rfc7515, https://www.rfc-editor.org/rfc/rfc7517, https://www.rfc-editor.org/rfc/rfc7518
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from cloudlet.errors import CloudletError

MIN_RSA_BITS = 2048
_HASHES: Mapping[str, HashAlgorithm] = {"256": SHA256(), "384": SHA384(), "512": SHA512()}
_CURVES: Mapping[str, tuple[str, ec.EllipticCurve]] = {
    "ES256": ("P-256", ec.SECP256R1()),
    "ES384": ("P-384", ec.SECP384R1()),
    "ES512": ("P-521", ec.SECP521R1()),
}
ALGORITHMS = frozenset({*(f"{family}{size}" for family in ("RS", "PS") for size in _HASHES), *_CURVES})

Jwk = Mapping[str, Any]


class MalformedJwt(CloudletError):
    """The text is no signed JSON Web Token."""


@dataclass(frozen=True, slots=True)
class Jwt:
    """A token that was read; nothing in it is to be believed before `is_signed_by`."""

    algorithm: str
    key_id: str
    """Empty where the token names no key."""
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes

    def is_signed_by(self, keys: Iterable[Jwk]) -> bool:
        """True when one of `keys` made the signature."""
        return any(self._fits(key) and self._verifies(key) for key in keys)

    def is_named_in(self, keys: Iterable[Jwk]) -> bool:
        """True when one of `keys` is of the token's kind, and has its id where it names one."""
        return any(self._fits(key) for key in keys)

    def _fits(self, key: Jwk) -> bool:
        kind = "EC" if self.algorithm in _CURVES else "RSA"
        is_for_it = key.get("use", "sig") == "sig" and key.get("alg", self.algorithm) == self.algorithm
        return is_for_it and key.get("kty") == kind and self.key_id in ("", key.get("kid"))

    def _verifies(self, key: Jwk) -> bool:
        digest = _HASHES[self.algorithm[2:]]
        try:
            if self.algorithm in _CURVES:
                _verify_ec(key, self, digest)
            else:
                _verify_rsa(key, self, digest)
        except (InvalidSignature, MalformedJwt, ValueError, KeyError):
            return False
        return True


def read_jwt(text: str) -> Jwt:
    """The token of its text. Raises MalformedJwt."""
    parts = text.split(".")
    if len(parts) != 3:
        raise MalformedJwt("not three parts")
    header, claims, signature = (_decode(part) for part in parts)
    try:
        head, body = orjson.loads(header), orjson.loads(claims)
    except ValueError as error:
        raise MalformedJwt("not JSON") from error
    if not isinstance(head, dict) or not isinstance(body, dict):
        raise MalformedJwt("not objects")
    algorithm, key_id = head.get("alg"), head.get("kid", "")
    # A header that has to be understood (`crit`) is none of those that are.
    if algorithm not in ALGORITHMS or not isinstance(key_id, str) or "crit" in head:
        raise MalformedJwt("another algorithm")
    return Jwt(algorithm, key_id, body, text.rpartition(".")[0].encode(), signature)


def _verify_rsa(key: Jwk, token: Jwt, digest: HashAlgorithm) -> None:
    public = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
    if public.key_size < MIN_RSA_BITS:
        raise InvalidSignature
    scheme = (
        padding.PKCS1v15() if token.algorithm[:2] == "RS" else padding.PSS(padding.MGF1(digest), digest.digest_size)
    )
    public.verify(token.signature, token.signed, scheme, digest)


def _verify_ec(key: Jwk, token: Jwt, digest: HashAlgorithm) -> None:
    name, curve = _CURVES[token.algorithm]
    size_bytes = (curve.key_size + 7) // 8
    if key.get("crv") != name or len(token.signature) != 2 * size_bytes:
        raise InvalidSignature
    public = ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), curve).public_key()
    halves = token.signature[:size_bytes], token.signature[size_bytes:]
    signature = encode_dss_signature(*(int.from_bytes(half, "big") for half in halves))
    public.verify(signature, token.signed, ec.ECDSA(digest))


def _number(text: Any) -> int:
    if not isinstance(text, str):
        raise MalformedJwt("not a number")
    return int.from_bytes(_decode(text), "big")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedJwt("not base64") from error
