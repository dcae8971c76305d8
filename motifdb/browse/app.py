"""The application: which address leads to which page, and what an error looks like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motifdb.browse.guard import Guard
from motifdb.browse.pages import Pages
from motifdb.browse.reading import Reading
from motifdb.errors import DatabaseError, MotifdbError, NotFoundError

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

HERE = Path(__file__).parent


def make_app(reading: Reading, audio_dir: Path | None = None) -> Starlette:
    """The page over one database.

    Parameters
    ----------
    reading : the open database
    audio_dir : folder whose sound files are taken before any other, as for `motifdb play`
    """
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    pages = Pages(reading, audio_dir)
    return Starlette(
        routes=[
            Route("/", pages.motifs, name="motifs"),
            Route("/motif/{motif_id}", pages.motif, name="motif"),
            Route("/recordings", pages.recordings, name="recordings"),
            Route("/recording/{recording_id}", pages.recording, name="recording"),
            Route("/compare", pages.compare, name="compare"),
            Route("/parts/overlay/{motif_id}", pages.overlay_part),
            Route("/parts/labels/{motif_id}", pages.labels_part),
            Route("/parts/pitch/{recording_id}", pages.pitch_part),
            Route("/parts/tested", pages.tested_part),
            Route("/sound/{recording_id}", pages.sound),
            Route("/state", pages.state),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[Middleware(Guard)],
        exception_handlers={
            MotifdbError: _shown(pages),
            404: _not_here(pages),
            500: _defect(pages),
        },
    )


def status_of(error: MotifdbError) -> int:
    """The status a browser is told."""
    if isinstance(error, NotFoundError):
        return 404
    return 503 if isinstance(error, DatabaseError) else 400


def _shown(pages: Pages) -> Callable[[Request, Any], Response]:
    def show(request: Request, error: Any) -> Response:
        return pages.error(request, str(error), status_of(error))

    return show


def _not_here(pages: Pages) -> Callable[[Request, Any], Response]:
    def show(request: Request, error: Any) -> Response:
        return pages.error(request, "there is no such page; the list of motifs is a good place to start", 404)

    return show


def _defect(pages: Pages) -> Callable[[Request, Any], Response]:
    def show(request: Request, error: Any) -> Response:
        said = " ".join(str(error).split())[:300]
        sentence = f"a defect of motifdb, not of your data: {type(error).__name__}: {said}; please report it"
        return pages.error(request, sentence, 500)

    return show
