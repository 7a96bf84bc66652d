"""A Celery application whose broker is a node's SQS.

The test makes one to send. A worker, a process of its own, imports this module and finds in its environment what to
make: `CELERY_BROKER`, a URL, `CELERY_TRANSPORT`, its options as Python, and `CELERY_FOLDER`, where results are kept.
"""

import ast
import os
import threading
from pathlib import Path
from typing import Any

from celery import Celery


def make_app(broker: str, folder: Path, transport: dict[str, Any]) -> Celery:
    """An application with the tasks below."""
    app = Celery("proof", broker=broker, backend=f"file://{folder}")
    app.conf.update(
        broker_transport_options=transport,
        broker_connection_retry_on_startup=True,
        task_default_queue="work",
        worker_enable_remote_control=False,  # it needs fan-out
        worker_prefetch_multiplier=1,
    )

    def hang_once(name: str) -> str:
        """Never ends the first time, and says by a file that it has begun."""
        if is_new(folder / name):
            threading.Event().wait()
        return "done"

    def fail_once(name: str) -> None:
        """Fails the first time; says by files that it has begun, and that it did not fail."""
        if is_new(folder / name):
            raise ValueError("the first time")
        (folder / f"{name}-again").touch()

    app.task(add, name="add", shared=False)
    app.task(at_last, name="at_last", bind=True, max_retries=5, shared=False)
    app.task(hang_once, name="hang_once", acks_late=True, shared=False)
    app.task(fail_once, name="fail_once", acks_late=True, acks_on_failure_or_timeout=False, shared=False)
    return app


def add(left: int, right: int) -> int:
    return left + right


def at_last(task: Any, failures: int) -> int:
    """Fails so often, and then says at which retry it did not."""
    if task.request.retries < failures:
        raise task.retry(countdown=0)
    return int(task.request.retries)


def is_new(file: Path) -> bool:
    """True the first time."""
    if file.exists():
        return False
    file.touch()
    return True


if "CELERY_BROKER" in os.environ:
    options = ast.literal_eval(os.environ["CELERY_TRANSPORT"])  # not JSON: keys of a back-off policy are numbers
    app = make_app(os.environ["CELERY_BROKER"], Path(os.environ["CELERY_FOLDER"]), options)
