"""What `cloudlet doctor` says of the node itself: its data folder, its store, its address."""

import os
import shutil
import socket
import sqlite3
from pathlib import Path

from cloudlet.compute.doctor import Finding
from cloudlet.config import Config
from cloudlet.node_folder import NodeFolder

WANTED_BYTES = 1024**3
"""Less room than this is soon full: a package may take 250 MB unpacked."""


def examine(config: Config) -> list[Finding]:
    """The findings, in the order in which a node would need them."""
    return [data_folder(config.data), store(config), address(config)]


def data_folder(folder: Path) -> Finding:
    """Whether a node can write there, and how much room there is."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        return Finding("Data folder", "missing", f"{folder} cannot be written", "cloudlet up --data DIR")
    free = shutil.disk_usage(existing).free
    detail = f"{folder}, {free / 1e9:.1f} GB free"
    if free < WANTED_BYTES:
        return Finding("Data folder", "limited", detail, "make room, or choose another with --data")
    return Finding("Data folder", "ok", detail)


def store(config: Config) -> Finding:
    """Which store there is, and whether it answers."""
    if not config.store:
        return Finding("Store", "ok", f"SQLite {sqlite3.sqlite_version} in the data folder")
    import psycopg

    try:
        with psycopg.connect(config.store, connect_timeout=5) as connection:
            version = connection.info.server_version
    except psycopg.Error as error:
        return Finding("Store", "missing", str(error).strip(), "start the database, or mend --store")
    return Finding("Store", "ok", f"PostgreSQL {version // 10000}.{version % 10000}")


def address(config: Config) -> Finding:
    """Whether a node runs, or could listen."""
    if endpoint := NodeFolder(config.data).endpoint():
        return Finding("Node", "ok", f"runs at {endpoint}")
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((config.host, config.port))
        except OSError as error:
            detail = f"{config.host}:{config.port}: {error.strerror}"
            return Finding("Node", "limited", detail, "choose another port with --port")
    return Finding("Node", "ok", f"does not run; {config.host}:{config.port} is free")
