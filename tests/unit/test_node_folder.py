import os
from pathlib import Path

from cloudlet.node_folder import NodeFolder, NodeRecord
from cloudlet.store.folder import FolderLock

RECORD = NodeRecord("http://127.0.0.1:4566", os.getpid(), "1", "us-east-1", True)


def test_a_running_node_is_found(tmp_path: Path) -> None:
    folder = NodeFolder(tmp_path)
    with FolderLock(tmp_path):
        assert folder.endpoint() is None
        folder.write(RECORD)
        assert (folder.endpoint(), folder.pid()) == (RECORD.endpoint, os.getpid())
        folder.remove()
        assert folder.endpoint() is None


def test_what_a_dead_node_left_is_not_believed(tmp_path: Path) -> None:
    folder = NodeFolder(tmp_path)
    folder.write(RECORD)
    assert (folder.endpoint(), folder.pid()) == (None, None)
    with FolderLock(tmp_path):
        folder.write(NodeRecord("http://127.0.0.1:1", os.getpid() + 1, "1", "us-east-1", True))
        assert folder.endpoint() is None
        (tmp_path / "node.json").write_text("{")
        assert folder.endpoint() is None


def test_the_root_key_is_read_where_it_can_be(tmp_path: Path) -> None:
    folder = NodeFolder(tmp_path)
    assert folder.root_key() is None
    (tmp_path / "credentials").write_text("nonsense")
    assert folder.root_key() is None
    (tmp_path / "credentials").write_bytes(b"\xff")
    assert folder.root_key() is None
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = A\naws_secret_access_key = %(x)s/+=\n")
    assert folder.root_key() == ("A", "%(x)s/+=")


def test_the_end_of_a_process_is_seen(tmp_path: Path) -> None:
    folder = NodeFolder(tmp_path)
    assert not folder.wait_until_gone(os.getpid(), 0)
    child = os.fork()
    if not child:
        os._exit(0)
    assert folder.wait_until_gone(child, 10)  # nobody has asked for its exit code yet: it is a zombie
    os.waitpid(child, 0)
    assert folder.wait_until_gone(child, 10)
