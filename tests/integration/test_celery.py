"""Celery, with a node's SQS as its broker through kombu's transport: real workers, in processes of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.celery_tasks import make_app
from tests.support.nodes import MakeClient

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).parents[2]
PATIENCE_S = 60
VISIBILITY_S = 600


class Celery:
    """An application, and its workers."""

    def __init__(self, endpoint: str, account: str, folder: Path, **transport: Any) -> None:
        self._folder = folder
        self._broker = f"sqs://{account}:test@{endpoint.removeprefix('http://')}"
        self._transport = {
            "is_secure": False,
            "region": "us-east-1",
            "wait_time_seconds": 20,
            "polling_interval": 0,
            "visibility_timeout": VISIBILITY_S,
            **transport,
        }
        self.app = make_app(self._broker, folder, self._transport)
        self._workers: list[subprocess.Popen[bytes]] = []

    def send(self, task: str, *args: Any, **options: Any) -> Any:
        """Ask for a task; its result to come."""
        return self.app.tasks[task].apply_async(args, **options)

    def start_worker(self, queue: str = "work") -> subprocess.Popen[bytes]:
        """A worker that takes from `queue`."""
        settings = {
            "CELERY_BROKER": self._broker,
            "CELERY_FOLDER": str(self._folder),
            "CELERY_TRANSPORT": repr(self._transport),
        }
        options = ["--pool", "solo", "--loglevel", "INFO", "--queues", queue, "--without-gossip", "--without-mingle"]
        with (self._folder / "worker.log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "tests.support.celery_tasks", "worker", *options],
                cwd=ROOT,
                env={**os.environ, **settings},
                stdout=log,
                stderr=log,
            )
        self._workers.append(worker)
        return worker

    @property
    def log(self) -> str:
        """What workers have said."""
        return (self._folder / "worker.log").read_text()

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.kill()
            worker.wait()
        self.app.close()


Make = Callable[..., Celery]


@pytest.fixture
def celery(endpoint: str, account: str, tmp_path: Path) -> Iterator[Make]:
    """Makes applications whose tasks are done by the node's queues of the test's account."""
    made: list[Celery] = []

    def make(**transport: Any) -> Celery:
        folder = tmp_path / f"celery-{len(made)}"
        folder.mkdir()
        made.append(Celery(endpoint, account, folder, **transport))
        return made[-1]

    yield make
    for each in made:
        each.close()


def waiting_and_in_flight(sqs: Any, name: str) -> tuple[int, int]:
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])


def test_tasks_are_done_and_nothing_is_left(celery: Make, client: MakeClient) -> None:
    work = celery()
    results = [work.send("add", number, 1) for number in range(50)]
    worker = work.start_worker()
    assert [result.get(timeout=PATIENCE_S) for result in results] == list(range(1, 51)), work.log
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(PATIENCE_S) == 0, work.log
    assert waiting_and_in_flight(client("sqs"), "work") == (0, 0)


def test_a_failed_task_is_tried_again(celery: Make) -> None:
    work = celery()
    work.start_worker()
    assert work.send("at_last", 3).get(timeout=PATIENCE_S) == 3, work.log


def test_a_delayed_task_waits_in_the_queue(celery: Make, client: MakeClient, advance: Callable[[float], None]) -> None:
    work = celery()
    result = work.send("add", 20, 22, DelaySeconds=900)
    assert waiting_and_in_flight(client("sqs"), "work") == (0, 0)
    advance(901)
    assert waiting_and_in_flight(client("sqs"), "work") == (1, 0)
    work.start_worker()
    assert result.get(timeout=PATIENCE_S) == 42, work.log


def test_the_task_of_a_killed_worker_is_done_by_another_one_after_the_visibility_timeout(
    celery: Make, client: MakeClient, advance: Callable[[float], None], tmp_path: Path
) -> None:
    work = celery()
    result = work.send("hang_once", "begun")
    first = work.start_worker()
    wait_for(tmp_path / "celery-0" / "begun", first, work)
    first.kill()
    first.wait()
    assert waiting_and_in_flight(client("sqs"), "work") == (0, 1)
    work.start_worker()
    assert work.send("add", 1, 1).get(timeout=PATIENCE_S) == 2, work.log  # it works, but that task is not for it yet
    assert not result.ready()
    advance(VISIBILITY_S + 1)
    assert result.get(timeout=PATIENCE_S) == "done", work.log
    assert work.log.count("Task hang_once") >= 2


def test_a_fifo_queue_keeps_the_order(celery: Make, client: MakeClient) -> None:
    work = celery()
    results = [work.send("add", number, 1, queue="line.fifo", MessageGroupId="g") for number in range(12)]
    work.start_worker("line.fifo")
    assert [result.get(timeout=PATIENCE_S) for result in results] == list(range(1, 13)), work.log
    received = [line for line in work.log.splitlines() if "Task add[" in line and "received" in line]
    assert [result.id in line for result, line in zip(results, received, strict=True)] == [True] * 12


def test_a_back_off_policy_changes_the_visibility_of_what_failed(
    celery: Make, client: MakeClient, account: str, advance: Callable[[float], None], tmp_path: Path
) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="own", Attributes={"VisibilityTimeout": "43200"})["QueueUrl"]
    keys = {"access_key_id": account, "secret_access_key": "test"}
    policy = {"backoff_policy": {1: 300}, "backoff_tasks": ["fail_once"]}
    work = celery(predefined_queues={"own": {"url": url, **keys, **policy}})
    work.send("fail_once", "begun", queue="own")
    worker = work.start_worker("own")
    wait_for(tmp_path / "celery-0" / "begun", worker, work)
    assert work.send("add", 1, 1, queue="own").get(timeout=PATIENCE_S) == 2, work.log
    while waiting_and_in_flight(sqs, "own") != (0, 1):  # Celery acknowledges a task after its result
        assert worker.poll() is None, work.log
    advance(301)
    wait_for(tmp_path / "celery-0" / "begun-again", worker, work)


def wait_for(file: Path, worker: "subprocess.Popen[bytes]", work: Celery) -> None:
    """Return when a task has made `file`."""
    while not file.exists():
        assert worker.poll() is None, work.log
        time.sleep(0)
