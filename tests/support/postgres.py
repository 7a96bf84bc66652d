"""A PostgreSQL cluster of the tests' own, from the programs that the distribution installs.

One cluster serves all workers of a test run. It is stopped by a watcher process that waits for a lock that every worker
holds and that the kernel takes back from a worker that ends, however it ends: so nothing is left behind.
"""

import contextlib
import fcntl
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg

PORT = 5432
"""Names the socket in the cluster's own folder; no port of the network is used."""
_WATCHER = """
import fcntl, os, shutil, subprocess, sys
pg_ctl, folder, lock, user = sys.argv[1:]
fcntl.flock(os.open(lock, os.O_RDWR), fcntl.LOCK_EX)
subprocess.run([pg_ctl, "stop", "-s", "-m", "immediate", "-D", folder + "/data"], user=user or None)
shutil.rmtree(folder, ignore_errors=True)
"""


def programs() -> Path | None:
    """The folder of the newest server programs on this machine; None when there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("pg_ctl")
    return Path(on_path).resolve().parent if on_path else None


class Cluster:
    """One cluster, reached by a Unix socket in its folder."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self.folder = folder
        self.bin = bin_folder
        self._numbers = itertools.count(1)

    @classmethod
    def create(cls, *, durable: bool = False) -> "Cluster":
        """Make and start a cluster in a new folder; `durable` for one that survives a crash (fsync on).

        Its language is not C, so that a test finds what leaves the order of text to the database.
        """
        bin_folder = programs()
        if bin_folder is None:
            raise RuntimeError("no PostgreSQL server programs are installed")
        cluster = cls(Path(tempfile.mkdtemp(prefix="cloudlet-pg-", dir="/tmp")), bin_folder)
        if user := cls.user():
            shutil.chown(cluster.folder, user)
        cluster._run(
            "initdb", "-D", f"{cluster.folder}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync",
            "--no-instructions", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en",
        )  # fmt: skip
        settings = [
            "listen_addresses = ''",
            f"port = {PORT}",
            f"unix_socket_directories = '{cluster.folder}'",
            "max_connections = 300",
            "shared_buffers = 64MB",
            "max_wal_size = 256MB",
        ]
        if not durable:
            settings += ["fsync = off", "full_page_writes = off", "autovacuum_naptime = 10min"]
        with (cluster.folder / "data" / "postgresql.conf").open("a") as file:
            file.write("\n".join(settings) + "\n")
        cluster.start()
        return cluster

    @staticmethod
    def user() -> str | None:
        """Who runs the server: it refuses to be root."""
        return "postgres" if os.getuid() == 0 else None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._run("pg_ctl", "start", "-s", "-w", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; `immediate` is a crash."""
        self._run("pg_ctl", "stop", "-s", "-w", "-m", mode, "-D", f"{self.folder}/data")

    def destroy(self) -> None:
        """Stop the server and remove its folder."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """How to connect to a database of this cluster."""
        return f"postgresql://postgres@/{database}?host={self.folder}&port={PORT}"

    def create_database(self) -> str:
        """Make an empty database; its URL."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def _run(self, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL. Its output is shown only when it fails; the server must not hold our pipes."""
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [self.bin / program, *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                user=self.user(), cwd="/", check=False,
            )  # fmt: skip
            if done.returncode:
                output.seek(0)
                raise RuntimeError(f"{program}: {output.read().decode(errors='replace')}")


@contextlib.contextmanager
def shared_cluster(folder: Path, *, durable: bool = False) -> Iterator[Cluster]:
    """The cluster of all processes that name the same `folder`; the first one makes it, the last one's end ends it."""
    folder.mkdir(parents=True, exist_ok=True)
    users, state = folder / "users.lock", folder / "cluster.json"
    with (folder / "start.lock").open("w") as start, users.open("w") as using:
        fcntl.flock(start, fcntl.LOCK_EX)
        fcntl.flock(using, fcntl.LOCK_SH)
        if state.exists():
            known = json.loads(state.read_text())
            cluster = Cluster(Path(known["folder"]), Path(known["bin"]))
        else:
            cluster = Cluster.create(durable=durable)
            subprocess.Popen(
                [sys.executable, "-c", _WATCHER, cluster.bin / "pg_ctl", cluster.folder, users, Cluster.user() or ""],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            ).returncode = 0  # fmt: skip
            state.write_text(json.dumps({"folder": str(cluster.folder), "bin": str(cluster.bin)}))
        fcntl.flock(start, fcntl.LOCK_UN)
        yield cluster
