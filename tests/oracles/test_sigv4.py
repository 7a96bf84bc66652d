"""AWS's own SigV4 vectors: what a verifier has to compute, from the request as it is on the wire.

A vector is a folder: `.req` the request, `.creq` its canonical request, `.sts` the string to sign, `.authz` the
Authorization header, `.sreq` the signed request.
"""

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from cloudlet.wire import sigv4
from cloudlet.wire.http import HttpRequest

ORACLES = Path(os.environ.get("CLOUDLET_ORACLES", Path(__file__).parents[3] / "shared" / "oracles"))
VECTORS = ORACLES / "sigv4"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

SCRAMBLED = {
    "get-vanilla-with-session-token": "the signature in its .sreq is the session token with its parts in "
    "another order; that of its .authz is right and is tested",
}
"""Vectors whose signed request cannot be verified, and why."""


@dataclass(frozen=True)
class Vector:
    """One vector, as it was read."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    def text(self, suffix: str) -> str:
        """A file of the vector: its bytes, as latin-1, as `HttpRequest` has them."""
        return (self.path / f"{self.name}.{suffix}").read_bytes().decode("latin-1")

    def request(self, suffix: str) -> HttpRequest:
        """A request of the vector, as an HTTP server hands it on."""
        head, _, body = self.text(suffix).partition("\n\n")
        first, *lines = head.split("\n")
        method, rest = first.split(" ", 1)
        target, _, _ = rest.rpartition(" ")
        raw_path, _, query_string = target.partition("?")
        headers: dict[str, str] = {}
        name = ""
        for line in lines:
            if line.startswith((" ", "\t")):  # a folded line: a server replaces the fold by a space (RFC 9112, 5.2)
                headers[name] += f" {line}"
                continue
            name, _, value = line.partition(":")
            name = name.lower()
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        return HttpRequest(method, raw_path, query_string, headers, body.encode("latin-1"))


def _vectors() -> list[Vector]:
    return [Vector(path.parent) for path in sorted(VECTORS.glob("**/*.creq"))]


@pytest.fixture(params=_vectors(), ids=lambda vector: vector.name)
def vector(request: pytest.FixtureRequest) -> Vector:
    """Each vector in turn."""
    found: Vector = request.param
    return found


def _claim(vector: Vector) -> tuple[HttpRequest, sigv4.Claim]:
    request = vector.request("sreq")
    claim = sigv4.claim(request)
    assert claim is not None
    return request, claim


def _body_hash(request: HttpRequest) -> str:
    return sha256(request.body).hexdigest()


def test_all_vectors_are_there() -> None:
    assert len(_vectors()) == 34


def test_the_canonical_request_is_the_vectors(vector: Vector) -> None:
    request, claim = _claim(vector)
    canonical = sigv4.canonical_request(request, claim.signed_headers, _body_hash(request), is_s3=False)
    assert canonical == vector.text("creq")


def test_the_string_to_sign_is_the_vectors(vector: Vector) -> None:
    _, claim = _claim(vector)
    text = sigv4.string_to_sign(claim.timestamp, claim.credential.scope, vector.text("creq"))
    assert text == vector.text("sts")


def test_the_signature_is_the_vectors(vector: Vector) -> None:
    _, claim = _claim(vector)
    assert f"Signature={sigv4.sign(SECRET, claim.credential, vector.text('sts'))}" in vector.text("authz")


def test_the_signed_request_is_verified(vector: Vector) -> None:
    request, claim = _claim(vector)
    if vector.name in SCRAMBLED:
        request.headers = {**request.headers, "authorization": vector.text("authz")}
        claim = claim._replace(signature=vector.text("authz").rpartition("=")[2])
    assert sigv4.verify(request, claim, SECRET, _body_hash(request), is_s3=False)


def test_a_signed_request_is_refused_with_another_secret(vector: Vector) -> None:
    request, claim = _claim(vector)
    assert not sigv4.verify(request, claim, SECRET + "x", _body_hash(request), is_s3=False)


def test_a_signed_request_is_refused_with_another_body(vector: Vector) -> None:
    request, claim = _claim(vector)
    assert not sigv4.verify(request, claim, SECRET, sha256(request.body + b"x").hexdigest(), is_s3=False)


@pytest.mark.parametrize("name", sorted(SCRAMBLED))
def test_a_scrambled_signature_is_refused(name: str) -> None:
    (found,) = [vector for vector in _vectors() if vector.name == name]
    request, claim = _claim(found)
    assert not sigv4.verify(request, claim, SECRET, _body_hash(request), is_s3=False)
