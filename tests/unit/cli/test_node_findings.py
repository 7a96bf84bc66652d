import os
import socket
from pathlib import Path

import pytest

from cloudlet.cli import node_findings
from cloudlet.config import Config
from cloudlet.node_folder import NodeFolder, NodeRecord
from cloudlet.store.folder import FolderLock


def test_a_folder_that_is_not_there_yet_is_fine(tmp_path: Path) -> None:
    assert node_findings.data_folder(tmp_path / "new" / "data").state == "ok"


def test_a_disk_that_is_nearly_full_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_findings, "WANTED_BYTES", 1 << 62)
    finding = node_findings.data_folder(tmp_path)
    assert (finding.state, "GB free" in finding.detail, bool(finding.remedy)) == ("limited", True, True)


def test_a_database_that_does_not_answer_is_said(tmp_path: Path) -> None:
    finding = node_findings.store(Config(store=f"postgresql:///x?host={tmp_path}"))
    assert finding.state == "missing"
    assert node_findings.store(Config()).state == "ok"


def test_a_database_that_answers_is_named(postgres_url: str) -> None:
    finding = node_findings.store(Config(store=postgres_url))
    assert (finding.state, finding.detail.startswith("PostgreSQL ")) == ("ok", True)


def test_a_node_that_runs_is_found_and_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = Config(data=tmp_path, port=taken.getsockname()[1])
        assert node_findings.address(config).state == "limited"
        with FolderLock(tmp_path):
            NodeFolder(tmp_path).write(NodeRecord("http://127.0.0.1:1", os.getpid(), "1", "us-east-1", True))
            assert node_findings.address(config).detail == "runs at http://127.0.0.1:1"
    assert node_findings.address(config).state == "ok"
