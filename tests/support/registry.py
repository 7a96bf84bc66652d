"""The node's registry of images, spoken to by plain HTTP."""

import hashlib
import http.client
import json
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cloudlet.compute.images.manifest import OCI_MANIFEST
from tests.support.images import Layout

Json = dict[str, Any]


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def codes(self) -> list[str]:
        """The codes of its errors."""
        return [error["code"] for error in json.loads(self.body)["errors"]]


class Registry:
    """Speaks to the registry by plain HTTP, as whoever's token it has."""

    def __init__(self, endpoint: str, token: str, host: str = "") -> None:
        self._address = urlsplit(endpoint).netloc
        self._headers = {"Authorization": f"Basic {token}", **({"Host": host} if host else {})}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection(self._address, timeout=60)
        try:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, {**self._headers, **given})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def upload(self, name: str, content: bytes) -> str:
        """Send a blob in one request; its digest."""
        digest = digest_of(content)
        answer = self("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", content)
        assert answer.status == 201, answer.body
        return digest

    def push(self, name: str, tag: str, layout: Layout, digest: str) -> None:
        """Push the image of a layout that has this digest."""
        manifest = json.loads(layout.content(digest))
        for part in (manifest["config"], *manifest["layers"]):
            self.upload(name, layout.content(part["digest"]))
        answer = self("PUT", f"/v2/{name}/manifests/{tag}", layout.content(digest), Content_Type=manifest["mediaType"])
        assert answer.status == 201, answer.body

    def image(self, name: str, tag: str, content: bytes = b"layer", **more: Any) -> str:
        """Push an image of one layer; its digest."""
        parts = [
            {"mediaType": kind, "digest": self.upload(name, part), "size": len(part)}
            for kind, part in (
                ("application/vnd.oci.image.config.v1+json", b"{}"),
                ("application/vnd.oci.image.layer.v1.tar", content),
            )
        ]
        manifest = {
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": parts[0], "layers": parts[1:], **more,
        }  # fmt: skip
        return self.manifest(name, tag, manifest)

    def manifest(self, name: str, tag: str, manifest: Json) -> str:
        content = json.dumps(manifest).encode()
        tag = tag or digest_of(content)
        answer = self("PUT", f"/v2/{name}/manifests/{tag}", content, Content_Type=manifest["mediaType"])
        assert answer.status == 201, answer.body
        return str(answer.headers["docker-content-digest"])


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def token_of(ecr: Any) -> str:
    [data] = ecr.get_authorization_token()["authorizationData"]
    return str(data["authorizationToken"])
