"""Serves the page's files from memory, compressed once.

A page is some forty small files that a browser asks for all at once; to read and compress each of
them for each visitor would be most of the time until the page shows something.
"""

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

_GZIP_LEVEL: Final = 6
_WORTH_IT: Final = 1024  # bytes; below it compression saves no packet
_TYPES: Final = {".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml"}


class _Kept(NamedTuple):
    """A file as it is sent; `stamp` tells whether it has changed since."""

    stamp: tuple[int, int]
    plain: bytes
    zipped: bytes | None
    tag: str
    type: str


class Files:
    """An ASGI application that answers with files, by URL path; no other file can be asked for."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = dict(files)
        self._kept: dict[str, _Kept] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        response = await self._answer(scope)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        path = scope["path"]
        if scope["type"] != "http" or path not in self._files:
            return PlainTextResponse("Not found", 404)
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("Method not allowed", 405, {"Allow": "GET, HEAD"})
        kept = await self._keep(path)
        asked = Headers(scope=scope)
        headers = {"ETag": kept.tag, "Vary": "Accept-Encoding"}
        if kept.tag in asked.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        content = kept.plain
        if kept.zipped is not None and "gzip" in asked.get("accept-encoding", ""):
            content = kept.zipped
            headers["Content-Encoding"] = "gzip"
        return Response(content, headers=headers, media_type=kept.type)

    async def _keep(self, path: str) -> _Kept:
        """Return a file from memory, read again if it has changed."""
        status = self._files[path].stat()
        stamp = (status.st_mtime_ns, status.st_size)
        kept = self._kept.get(path)
        if kept is None or kept.stamp != stamp:
            kept = await run_in_threadpool(_read, self._files[path], stamp)
            self._kept[path] = kept
        return kept


def _read(file: Path, stamp: tuple[int, int]) -> _Kept:
    plain = file.read_bytes()
    zipped = gzip.compress(plain, _GZIP_LEVEL, mtime=0) if len(plain) >= _WORTH_IT else None
    if zipped is not None and len(zipped) >= len(plain):
        zipped = None
    tag = f'W/"{hashlib.sha256(plain).hexdigest()[:16]}"'
    kind = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "text/plain"
    return _Kept(stamp, plain, zipped, tag, kind)
