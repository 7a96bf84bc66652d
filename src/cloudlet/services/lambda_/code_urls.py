"""Code locations: links that download a package, without credentials, for ten minutes.

`http://host:port/_cloudlet/lambda/code/<digest>?expires=<seconds>&signature=<hexadecimal>`; the signature is an HMAC
with a secret that all nodes of a store share.
"""

import hashlib
import hmac
import re
from urllib.parse import parse_qs

from cloudlet.services.base import Platform
from cloudlet.services.lambda_.limits import CODE_URL_S
from cloudlet.store.base import Transaction
from cloudlet.wire.http import HttpRequest, HttpResponse

ROUTE = "lambda"
_PATH = re.compile(r"/_cloudlet/lambda/code/([0-9a-f]{64})")


class CodeUrls:
    """Makes and serves the links."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._secret = b""

    async def url(self, endpoint: str, digest: str) -> str:
        """A link to the package, on the node as the client addressed it."""
        config = self._platform.config
        expires = int(self._platform.clock.now()) + CODE_URL_S
        query = f"expires={expires}&signature={await self._signature(digest, expires)}"
        return f"{endpoint or f'http://{config.host}:{config.port}'}/_cloudlet/{ROUTE}/code/{digest}?{query}"

    async def serve(self, request: HttpRequest) -> HttpResponse:
        """The package, or 403 for a link that is not ours or too old."""
        match = _PATH.fullmatch(request.raw_path)
        query = parse_qs(request.query_string)
        expires, signature = (query.get(name, [""])[0] for name in ("expires", "signature"))
        if match is None or request.method not in ("GET", "HEAD"):
            return _refusal(404, "NoSuchKey", "The specified key does not exist.")
        if not (expires.isascii() and expires.isdigit() and len(expires) < 16):
            return _refusal(403, "AccessDenied", "Access Denied")
        expected = await self._signature(match[1], int(expires))
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            return _refusal(403, "SignatureDoesNotMatch", "The signature of this link is wrong.")
        if int(expires) < self._platform.clock.now():
            return _refusal(403, "AccessDenied", "Request has expired")
        try:
            content = await self._platform.blobs.get(match[1])
        except KeyError:
            return _refusal(404, "NoSuchKey", "The specified key does not exist.")
        return HttpResponse(200, {"content-type": "application/zip"}, content)

    def reset(self) -> None:
        """The store was emptied, and with it the secret."""
        self._secret = b""

    async def _signature(self, digest: str, expires: int) -> str:
        if not self._secret:
            new = self._platform.ids.bytes(32)
            self._secret = await self._platform.store.transact(lambda tx: _put_secret(tx, "code-urls", new))
        return hmac.new(self._secret, f"{digest} {expires}".encode(), hashlib.sha256).hexdigest()


def _put_secret(tx: Transaction, name: str, secret: bytes) -> bytes:
    """Keep `secret` under `name` unless there is one; the one that is kept."""
    tx.execute("INSERT INTO lambda_secrets (name, secret) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", (name, secret))
    [(kept,)] = tx.query("SELECT secret FROM lambda_secrets WHERE name = ?", (name,))
    return bytes(kept)


def _refusal(status: int, code: str, message: str) -> HttpResponse:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return HttpResponse(status, {"content-type": "application/xml"}, body.encode())
