"""The web application: API, page, and the headers that keep a page to its own origin."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud.api import assets, ingest, stream, system
from cloud.centre import Centre
from cloud.config import Tiles
from cloud.files import Files

WEB: Final = Path(__file__).parent / "web"
_MODULES: Final = WEB / "node_modules"
_OWN: Final = (".js", ".css", ".svg")

# What the page uses of its packages, by URL path.
LIBRARIES: Final = {
    "/lib/leaflet/leaflet-src.esm.js": _MODULES / "leaflet/dist/leaflet-src.esm.js",
    "/lib/leaflet/leaflet.css": _MODULES / "leaflet/dist/leaflet.css",
    "/lib/uplot/uPlot.esm.js": _MODULES / "uplot/dist/uPlot.esm.js",
    "/lib/uplot/uPlot.min.css": _MODULES / "uplot/dist/uPlot.min.css",
    "/lib/topojson-client/feature.js": _MODULES / "topojson-client/src/feature.js",
    "/lib/topojson-client/identity.js": _MODULES / "topojson-client/src/identity.js",
    "/lib/topojson-client/reverse.js": _MODULES / "topojson-client/src/reverse.js",
    "/lib/topojson-client/transform.js": _MODULES / "topojson-client/src/transform.js",
    "/lib/world-atlas/land-10m.json": _MODULES / "world-atlas/land-10m.json",
}

_MONTH_S: Final = 30 * 86_400
_GZIP_LEVEL: Final = 2  # answers with thousands of assets shrink to a tenth, in milliseconds


def create_app(centre: Centre) -> FastAPI:
    """Return the application of a centre; it starts and stops the centre with itself."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await centre.start()
        yield
        await centre.stop()

    app = FastAPI(
        title="Fairway monitoring centre",
        version=version("fairway"),
        openapi_url="/api/openapi.json",
        docs_url=None,  # they would load their scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.centre = centre
    app.add_middleware(GZipMiddleware, compresslevel=_GZIP_LEVEL)
    app.add_middleware(_Headers, tiles=centre.config.tiles)
    app.add_exception_handler(SQLAlchemyError, _not_stored)
    for router in (ingest.router, assets.router, stream.router, system.router):
        app.include_router(router)
    app.mount("/", Files(_page() | LIBRARIES))
    return app


def _page() -> dict[str, Path]:
    """Return the page's own files by URL path."""
    files = {"/": WEB / "index.html"}
    for folder in ("css", "img", "js"):
        for path in (WEB / folder).rglob("*"):
            if path.suffix in _OWN:
                files[f"/{path.relative_to(WEB).as_posix()}"] = path
    return files


async def _not_stored(_: Request, error: Exception) -> JSONResponse:
    """Tell a gateway to come again: the disk is full, or the database is away."""
    cause = str(error).splitlines()[0]
    return JSONResponse({"detail": f"the database does not answer: {cause}"}, 503)


class _Headers:
    """Adds security and caching headers to every answer."""

    def __init__(self, app: ASGIApp, tiles: tuple[Tiles, ...]) -> None:
        self._app = app
        images = sorted({origin for source in tiles if (origin := _origin(source.url))})
        self._fixed = {
            "Content-Security-Policy": "; ".join(
                (
                    "default-src 'none'",
                    "script-src 'self'",
                    "style-src 'self'",
                    "connect-src 'self'",
                    " ".join(("img-src 'self' data:", *images)),
                    "base-uri 'none'",
                    "form-action 'none'",
                    "frame-ancestors 'none'",
                )
            ),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        caching = _caching(scope["path"])

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._fixed)
                headers["Cache-Control"] = caching
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _caching(path: str) -> str:
    """Return how long an answer may be kept: coastlines long, files if unchanged, data not."""
    if path.startswith("/lib/world-atlas/"):
        return f"public, max-age={_MONTH_S}"
    return "no-store" if path.startswith(("/api/", "/healthz")) else "no-cache"


def _origin(url: str) -> str | None:
    """Return the origin of a tile source, for the content security policy; None for our own."""
    parts = urlsplit(url.replace("{s}", "*"))
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else None
