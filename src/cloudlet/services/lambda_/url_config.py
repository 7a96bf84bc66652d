"""Function URLs: which function, version or alias has one, and how it is called.

https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlsplit

import orjson

from cloudlet.services.lambda_.names import LATEST, FunctionRef
from cloudlet.store.base import Migration, Reader, Row, Transaction

URLS = Migration(
    4,
    (
        """CREATE TABLE lambda_urls (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, qualifier TEXT NOT NULL,
            url_id TEXT NOT NULL, auth_type TEXT NOT NULL, cors TEXT NOT NULL, invoke_mode TEXT NOT NULL,
            created_ms BIGINT NOT NULL, modified_ms BIGINT NOT NULL, PRIMARY KEY (account, region, name, qualifier))""",
        "CREATE UNIQUE INDEX lambda_urls_by_id ON lambda_urls (url_id)",
    ),
)
_COLUMNS = "account, region, name, qualifier, url_id, auth_type, cors, invoke_mode, created_ms, modified_ms"
_KEY = "account = ? AND region = ? AND name = ? AND qualifier = ?"
NONE, AWS_IAM = "NONE", "AWS_IAM"
BUFFERED, RESPONSE_STREAM = "BUFFERED", "RESPONSE_STREAM"


@dataclass(frozen=True, slots=True)
class UrlConfig:
    """One row of lambda_urls, its fields in the columns' order."""

    account: str
    region: str
    name: str
    qualifier: str
    """An alias, or `$LATEST`."""
    url_id: str
    auth_type: str
    cors: str
    """JSON; `{}` where there is none."""
    invoke_mode: str
    created_ms: int
    modified_ms: int

    @classmethod
    def from_row(cls, row: Row) -> Self:
        return cls(*row)

    @property
    def ref(self) -> FunctionRef:
        """The function, with its alias where it is one's."""
        return FunctionRef(self.account, self.region, self.name, "" if self.qualifier == LATEST else self.qualifier)

    def url(self, endpoint: str) -> str:
        """The URL for a client that knows the node as `endpoint`."""
        parts = urlsplit(endpoint)
        host = parts.hostname or "localhost"
        domain = "localhost" if host[-1].isdigit() or ":" in host else host
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme or 'http'}://{self.url_id}.lambda-url.{self.region}.{domain}{port}/"

    def describe(self, endpoint: str, *, with_mode: bool = True) -> dict[str, Any]:
        """As the API shows it."""
        shown: dict[str, Any] = {
            "FunctionUrl": self.url(endpoint),
            "FunctionArn": self.ref.qualified_arn,
            "AuthType": self.auth_type,
            "CreationTime": _time(self.created_ms),
            "LastModifiedTime": _time(self.modified_ms),
        }
        if self.cors != "{}":
            shown["Cors"] = orjson.loads(self.cors)
        return shown | ({"InvokeMode": self.invoke_mode} if with_mode else {})


def changed(config: UrlConfig, params: Mapping[str, Any], now_ms: int) -> UrlConfig:
    """`config` with what `params` set."""
    config = replace(config, modified_ms=now_ms)
    if (cors := params.get("Cors")) is not None:
        config = replace(config, cors=orjson.dumps(cors).decode())
    return replace(
        config,
        auth_type=params.get("AuthType") or config.auth_type,
        invoke_mode=params.get("InvokeMode") or config.invoke_mode,
    )


def find(reader: Reader, ref: FunctionRef) -> UrlConfig | None:
    """The URL of a function or an alias."""
    row = reader.one(f"SELECT {_COLUMNS} FROM lambda_urls WHERE {_KEY}", _key(ref))
    return UrlConfig.from_row(row) if row is not None else None


def find_by_id(reader: Reader, url_id: str) -> UrlConfig | None:
    """The URL with this id."""
    row = reader.one(f"SELECT {_COLUMNS} FROM lambda_urls WHERE url_id = ?", (url_id,))
    return UrlConfig.from_row(row) if row is not None else None


def page(reader: Reader, ref: FunctionRef, after: str, limit: int) -> list[Row]:
    """A function's URLs by their qualifiers."""
    return reader.query(
        f"SELECT {_COLUMNS} FROM lambda_urls WHERE account = ? AND region = ? AND name = ? AND qualifier > ?"
        " ORDER BY qualifier LIMIT ?",
        (ref.account, ref.region, ref.name, after, limit),
    )


def add(tx: Transaction, config: UrlConfig) -> bool:
    """Add a URL; false when there is one already."""
    values = [getattr(config, name) for name in UrlConfig.__slots__]
    added = tx.execute(
        f"INSERT INTO lambda_urls ({_COLUMNS}) VALUES ({', '.join('?' * len(values))})"
        " ON CONFLICT (account, region, name, qualifier) DO NOTHING",
        values,
    )
    return added > 0


def put(tx: Transaction, config: UrlConfig) -> None:
    """Keep what has changed of a URL."""
    tx.execute(
        f"UPDATE lambda_urls SET auth_type = ?, cors = ?, invoke_mode = ?, modified_ms = ? WHERE {_KEY}",
        (config.auth_type, config.cors, config.invoke_mode, config.modified_ms, *_key(config.ref)),
    )


def delete(tx: Transaction, ref: FunctionRef) -> bool:
    """Take a URL away; false when there is none."""
    return tx.execute(f"DELETE FROM lambda_urls WHERE {_KEY}", _key(ref)) > 0


def delete_all(tx: Transaction, ref: FunctionRef) -> None:
    """The function is gone."""
    tx.execute(
        "DELETE FROM lambda_urls WHERE account = ? AND region = ? AND name = ?", (ref.account, ref.region, ref.name)
    )


def _key(ref: FunctionRef) -> tuple[str, str, str, str]:
    return ref.account, ref.region, ref.name, ref.qualifier or LATEST


def _time(moment_ms: int) -> str:
    moment = datetime.datetime.fromtimestamp(moment_ms / 1000, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment_ms % 1000:03d}Z"
