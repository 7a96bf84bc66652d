"""Layers as answers: whole or in part, piece by piece from disk."""

import asyncio
import re
from collections.abc import AsyncIterator
from io import BufferedReader
from pathlib import Path

from cloudlet.threads import made_in_thread
from cloudlet.wire.http import HttpResponse

PIECE_BYTES = 1024 * 1024
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")
_LAST = re.compile(r"bytes=-(\d{1,18})")


async def file_answer(path: Path, headers: dict[str, str], wanted: str = "", *, head: bool = False) -> HttpResponse:
    """The file at `path`, or what a Range header wants of it. `head`: only what would be said of it."""
    size = (await asyncio.to_thread(path.stat)).st_size
    first, end, status = 0, size, 200
    if (match := _LAST.fullmatch(wanted)) and int(match[1]) > 0:
        wanted = f"bytes={max(0, size - int(match[1]))}-"
    if match := _RANGE.fullmatch(wanted):
        first, end = int(match[1]), min(int(match[2]) + 1, size) if match[2] else size
        if first >= size or end <= first:
            return HttpResponse(416, {"content-range": f"bytes */{size}"})
        status, headers = 206, {**headers, "content-range": f"bytes {first}-{end - 1}/{size}"}
    headers = {**headers, "content-length": str(end - first), "accept-ranges": "bytes"}
    return HttpResponse(status, headers, _pieces(path, first, first if head else end))


async def _pieces(path: Path, first: int, end: int) -> AsyncIterator[bytes]:
    file = await made_in_thread(lambda: path.open("rb"), BufferedReader.close)
    try:
        await asyncio.to_thread(file.seek, first)
        left = end - first
        while left and (piece := await asyncio.to_thread(file.read, min(left, PIECE_BYTES))):
            left -= len(piece)
            yield piece
    finally:
        await asyncio.to_thread(file.close)
