"""A node is killed while images are pushed to it: what it acknowledged is there whole, and nothing half is served."""

import contextlib
import hashlib
import http.client
import itertools
import json
import random
import threading

import pytest

from cloudlet.compute.images.manifest import OCI_MANIFEST
from tests.support.nodes import Clients, NodeProcess, fresh_account
from tests.support.registry import Registry, digest_of, token_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]
ROUNDS = 4
PUSHERS = 3
GONE = (OSError, http.client.HTTPException)


class Pushes:
    """Clients that push until the node is gone, and what it has said yes to."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.blobs: set[str] = set()
        """Digests that were acknowledged."""
        self.tried: set[str] = set()
        """Digests of all that was sent, whole or in part."""
        self.tags: dict[str, str] = {}
        """The digest of each tag whose manifest was acknowledged."""
        self.open: list[str] = []
        """Uploads that had got something."""
        self.begun = threading.Semaphore(0)
        """Released at each step of a push."""
        self._numbers = itertools.count()

    def run(self) -> None:
        with contextlib.suppress(*GONE):
            while True:
                self._push(f"v{next(self._numbers)}")

    def _push(self, tag: str) -> None:
        content = random.Random(tag).randbytes(3_000_000)
        config = json.dumps({"tag": tag}).encode()
        for part in (config, content):
            self._upload(part)
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self._part("application/vnd.oci.image.config.v1+json", config),
            "layers": [self._part("application/vnd.oci.image.layer.v1.tar", content)],
        }
        self.tags[tag] = self.registry.manifest("app", tag, manifest)
        self.begun.release()

    def _part(self, media_type: str, content: bytes) -> dict[str, object]:
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

    def _upload(self, content: bytes) -> None:
        digest = digest_of(content)
        self.tried.add(digest)
        place = self.registry("POST", "/v2/app/blobs/uploads/").headers["location"]
        middle = len(content) // 2
        assert self.registry("PATCH", place, content[:middle]).status == 202
        self.open.append(place)
        self.begun.release()
        done = self.registry("PUT", f"{place}?digest={digest}", content[middle:])
        assert done.status == 201, done.body
        self.open.remove(place)
        self.blobs.add(digest)
        self.begun.release()


def check(pushes: Pushes) -> None:
    """What was acknowledged is there, and of the rest only what is whole."""
    registry = pushes.registry
    for digest in pushes.tried:
        answer = registry("GET", f"/v2/app/blobs/{digest}")
        if answer.status == 200:
            assert f"sha256:{hashlib.sha256(answer.body).hexdigest()}" == digest
        else:
            assert answer.status == 404
            assert digest not in pushes.blobs, "an acknowledged layer is lost"
    listed = json.loads(registry("GET", "/v2/app/tags/list").body)["tags"]
    assert pushes.tags.keys() <= set(listed)
    for tag in listed:
        answer = registry("GET", f"/v2/app/manifests/{tag}")
        assert answer.status == 200
        assert digest_of(answer.body) == pushes.tags.get(tag, digest_of(answer.body))
        manifest = json.loads(answer.body)
        for part in (manifest["config"], *manifest["layers"]):
            assert registry("HEAD", f"/v2/app/blobs/{part['digest']}").status == 200


def test_what_is_acknowledged_is_there_whole(node: NodeProcess) -> None:
    clients = Clients(fresh_account())
    ecr = clients.make(node.endpoint, "ecr")
    ecr.create_repository(repositoryName="app")
    pushes = Pushes(Registry(node.endpoint, token_of(ecr)))
    for round_number in range(ROUNDS):
        threads = [threading.Thread(target=pushes.run, name=f"pusher {number}") for number in range(PUSHERS)]
        for thread in threads:
            thread.start()
        for _ in range(random.Random(round_number).randint(2, 25)):
            pushes.begun.acquire()
        node.kill9()
        for thread in threads:
            thread.join()
        node.restart()
        check(pushes)
        for place in pushes.open:
            answer = pushes.registry("PATCH", place, b"more")
            assert (answer.status, answer.codes) == (404, ["BLOB_UPLOAD_UNKNOWN"])
        pushes.open.clear()
    assert pushes.tags
    for tag in [*pushes.tags][:3]:  # a push that broke off is begun anew
        pushes._push(f"{tag}-again")
    check(pushes)
    scratch = [path for path in (node.data / "images").rglob("*") if path.is_file() and len(path.name) != 64]
    assert scratch == [], "what was being sent is still there"
    clients.close()
