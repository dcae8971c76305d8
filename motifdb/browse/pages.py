"""What each address answers: fields in, a template filled."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from motifdb.browse import comparing, forms, listing, places, recordings
from motifdb.browse.overlay import Place, overlay
from motifdb.browse.reading import Reading
from motifdb.browse.render import address, clock, environment
from motifdb.browse.staircase import large_staircase
from motifdb.browse.strip import moved, strip, window
from motifdb.errors import MotifdbError, NotFoundError, UsageError
from motifdb.plots import PitchCurve, Segments

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from motifdb.pipelines.listening import Listener

MOST_SOUND_S = 120.0
"""Longest stretch that is played at once."""


class Pages:
    """The answers, over one database."""

    def __init__(self, reading: Reading, audio_dir: Path | None = None) -> None:
        self._reading = reading
        self._audio_dir = audio_dir
        self._templates = environment()
        self._sound_lock = threading.Lock()
        self._listener: tuple[int, Listener] | None = None

    # -- pages -------------------------------------------------------------------------------------------

    def motifs(self, request: Request) -> Response:
        """The list of motifs."""
        self._reading.follow()
        given = _given(request)
        found = listing.analyses(self._reading)
        analysis = listing.choose_analysis(found, given.get("analysis", ""))
        text = given.get("contour", "").strip()
        if text and forms.contour(text) is None:
            return self._to_motif(text)
        labels = listing.label_choices(self._reading)
        wanted = listing.wanted(given, labels)
        rows, n = listing.motifs(self._reading, wanted, analysis) if analysis else ([], 0)
        n_pages = max(1, -(-n // wanted.rows))
        return self._page(
            "motifs.html",
            request,
            given=given,
            wanted=wanted,
            analyses=found,
            analysis=analysis,
            labels=labels,
            rows=rows,
            n=n,
            n_pages=n_pages,
            first=(wanted.page - 1) * wanted.rows,
            orders=list(listing.ORDERS),
            hows=list(listing.HOWS),
        )

    def motif(self, request: Request) -> Response:
        """A motif's page."""
        self._reading.follow()
        given = request.query_params
        motif = places.find(self._reading, request.path_params["motif_id"])
        is_everywhere = bool(given.get("everywhere"))
        n = motif.n_places(is_everywhere)
        page, rows_a_page = _paging(given)
        rows = places.page(self._reading, motif, is_everywhere, (page - 1) * rows_a_page, rows_a_page)
        facts = motif.facts
        path = None
        if facts["scope"] == "recording":
            path = listing.paths_of(self._reading, {facts["scope_key"]}).get(facts["scope_key"])
        return self._page(
            "motif.html",
            request,
            motif=facts,
            path=path,
            n_alike=motif.n_alike,
            is_everywhere=is_everywhere,
            picture=large_staircase(facts["contour"]),
            rows=rows,
            labels=places.shown_labels(rows),
            all_labels=list(listing.label_choices(self._reading, 0)),
            n=n,
            page=page,
            n_pages=max(1, -(-n // rows_a_page)),
            first=(page - 1) * rows_a_page,
            given=_given(request),
        )

    def overlay_part(self, request: Request) -> Response:
        """The picture of a motif's occurrences, for the motif's page."""
        given = request.query_params
        motif = places.find(self._reading, request.path_params["motif_id"])
        is_everywhere = bool(given.get("everywhere"))
        width = forms.whole(given, "width", 960, at_least=280, at_most=2400)
        page, rows_a_page = _paging(given)
        n = motif.n_places(is_everywhere)
        drawn = places.spread(self._reading, motif, is_everywhere, n)
        there = {row["place"] for row in drawn}
        on_page = places.page(self._reading, motif, is_everywhere, (page - 1) * rows_a_page, rows_a_page)
        rows = [*drawn, *(row for row in on_page if row["place"] not in there)]
        segments = places.segments(self._reading, rows, motif.facts["length"])
        is_one = len({row["recording_id"] for row in rows}) == 1
        listed = {row["place"] for row in on_page}
        curves = [
            Place(
                row["place"],
                self._curve(row, motif.pitch_id, is_one, parts),
                is_listed=row["place"] in listed,
                is_extra=row["place"] not in there,
            )
            for row, parts in zip(rows, segments, strict=True)
        ]
        return self._html(overlay(curves, n, width))

    def labels_part(self, request: Request) -> Response:
        """In how many recordings of each singer, style, ... a motif sounds."""
        motif = places.find(self._reading, request.path_params["motif_id"])
        label = request.query_params.get("label", "")
        rows = places.by_label(self._reading, motif, label)
        return self._html(
            self._templates.get_template("by_label.html").render(
                rows=rows, label=label, contour=motif.facts["contour"], analysis_id=motif.facts["analysis_id"]
            )
        )

    def recordings(self, request: Request) -> Response:
        """The list of recordings."""
        self._reading.follow()
        given = _given(request)
        page, rows_a_page = _paging(given)
        rows, n = recordings.page(
            self._reading, given.get("text", "").strip(), (page - 1) * rows_a_page, rows_a_page
        )
        return self._page(
            "recordings.html",
            request,
            given=given,
            rows=rows,
            labels=places.shown_labels(rows),
            n=n,
            page=page,
            n_pages=max(1, -(-n // rows_a_page)),
        )

    def recording(self, request: Request) -> Response:
        """A recording's page."""
        self._reading.follow()
        given = _given(request)
        recording_id = self._recording_id(request.path_params["recording_id"])
        facts = recordings.facts(self._reading, recording_id)
        analysis = listing.choose_analysis(listing.analyses(self._reading), given.get("analysis", ""))
        kept = {name: given[name] for name in ("start", "end", "at", "motif", "analysis") if given.get(name)}
        return self._page(
            "recording.html",
            request,
            recording=facts,
            name=facts["files"][0]["path"] if facts["files"] else recording_id[:8],
            analysis=analysis,
            motifs=recordings.strongest(self._reading, recording_id, analysis) if analysis else [],
            families=recordings.families(self._reading, recording_id),
            most_members=recordings.MOST_MEMBERS,
            part=address(f"/parts/pitch/{recording_id}", kept),
        )

    def pitch_part(self, request: Request) -> Response:
        """A stretch of a recording's pitch and what sounds in it, for the recording's page."""
        given = request.query_params
        recording_id = self._recording_id(request.path_params["recording_id"])
        analysis = listing.choose_analysis(listing.analyses(self._reading), given.get("analysis", ""))
        width = forms.whole(given, "width", 960, at_least=280, at_most=2400)
        curve = self._reading.pitch(recording_id, recordings.pitch_id(self._reading, recording_id, analysis))
        duration_s = float(curve.times_s[-1]) if curve.times_s.size else 0.0
        start_s, end_s = window(duration_s, *(forms.number(given, name) for name in ("start", "end", "at")))
        lanes = recordings.lanes(
            self._reading, recording_id, analysis, start_s, end_s, given.get("motif", "").lower()
        )
        kept = {name: given[name] for name in ("motif", "analysis") if given.get(name)}
        moves = {
            name: {
                kind: address(path, kept, start=f"{a:.2f}", end=f"{b:.2f}")
                for kind, path in (
                    ("page", f"/recording/{recording_id}"),
                    ("part", f"/parts/pitch/{recording_id}"),
                )
            }
            for name, (a, b) in moved(duration_s, start_s, end_s).items()
        }
        drawn = strip(curve, start_s, end_s, lanes, width)
        return self._html(
            self._templates.get_template("strip_part.html").render(
                moves=moves,
                drawn=drawn,
                start_s=start_s,
                end_s=end_s,
                most_s=MOST_SOUND_S,
                recording_id=recording_id,
            )
        )

    def compare(self, request: Request) -> Response:
        """Two values of a label side by side."""
        self._reading.follow()
        given = _given(request)
        found = listing.analyses(self._reading)
        analysis = listing.choose_analysis(found, given.get("analysis", ""))
        labels = list(listing.label_choices(self._reading, 0))
        values: dict[str, Any] = {"a": None, "b": None, "sides": [], "rows": [], "label": ""}
        if labels and analysis:
            values = self._two_sides(given, labels, analysis)
        return self._page("compare.html", request, labels=labels, analyses=found, analysis=analysis, **values)

    def tested_part(self, request: Request) -> Response:
        """The same two sides, put to the test."""
        given = _given(request)
        lines, rows, columns = comparing.tested(
            self._reading, given["analysis"], given["label"], given["a"], given["b"]
        )
        body = self._templates.get_template("tested.html").render(
            lines=lines, rows=rows, columns=columns, analysis_id=given["analysis"]
        )
        return self._html(body)

    def _two_sides(
        self, given: Mapping[str, str], labels: list[str], analysis: listing.Analysis
    ) -> dict[str, Any]:
        label = forms.chosen(given, "label", dict.fromkeys(labels))
        sides = comparing.sides(self._reading, analysis, label)
        if not sides:
            raise NotFoundError(f"no recording that was mined has one clear {label}; choose another label")
        of = {side["value"]: side for side in sides}
        a = of.get(given.get("a", ""), sides[0])
        b = of.get(given.get("b", ""), next((s for s in sides if s is not a), a))
        rows = comparing.side_by_side(self._reading, analysis, label, a, b) if a is not b else []
        return {"label": label, "sides": sides, "a": a, "b": b, "rows": rows}

    def sound(self, request: Request) -> Response:
        """A stretch of a recording as wav."""
        from starlette.responses import Response

        given = request.query_params
        recording_id = self._recording_id(request.path_params["recording_id"])
        start_s, end_s = forms.number(given, "start"), forms.number(given, "end")
        context_s = forms.number(given, "context") or 0.0
        if start_s is None or end_s is None or end_s <= start_s:
            raise UsageError("a sound needs its start and end in seconds, the end after the start")
        if end_s - start_s > MOST_SOUND_S or context_s > 5.0:
            raise UsageError(
                f"at most {MOST_SOUND_S:.0f} s are played at once; `motifdb play --audio DIR` writes longer ones"
            )
        with self._sound_lock:
            sound = self._heard().sounds(recording_id, [(start_s, end_s)], context_s=context_s)[0]
        headers = {
            "cache-control": "private, max-age=600",
            "x-motifdb-source": sound.source,
            "x-motifdb-note": " ".join(sound.note.split()).encode("ascii", "replace").decode(),
        }
        return Response(sound.wav(), media_type="audio/wav", headers=headers)

    def state(self, request: Request) -> Response:
        """Which commit is shown, and which is the newest."""
        from starlette.responses import JSONResponse

        newest = self._reading.newest()
        return JSONResponse(
            {"newest": newest, "is_fixed": self._reading.is_fixed}, headers={"cache-control": "no-store"}
        )

    def error(self, request: Request, sentence: str, status: int) -> Response:
        """An error as a page; as one sentence where a part of a page or a sound was asked for."""
        from starlette.responses import JSONResponse

        path = request.url.path
        if path.startswith("/parts/"):
            part = self._templates.get_template("error_part.html").render(sentence=sentence)
            return self._html(part, status)
        if path.startswith(("/sound/", "/state", "/static/")):
            return JSONResponse({"error": sentence}, status, headers={"cache-control": "no-store"})
        return self._page("error.html", request, status, sentence=sentence, status=status)

    # -- what they share ---------------------------------------------------------------------------------

    def _to_motif(self, text: str) -> Response:
        """A search for an id leads to its motif."""
        from starlette.responses import RedirectResponse

        try:
            motif = places.find(self._reading, text)
        except NotFoundError:
            raise UsageError(
                f"{text[:40]!r} is neither a contour such as '+1 -2 +1' nor the beginning of one motif's id"
            ) from None
        return RedirectResponse(f"/motif/{motif.id}", 303)

    def _curve(
        self, row: Mapping[str, Any], pitch_id: str, is_one: bool, segments: Segments | None
    ) -> PitchCurve:
        try:
            whole = self._reading.pitch(row["recording_id"], pitch_id)
        except MotifdbError:  # a picture of the others is worth more than none
            return PitchCurve(np.zeros(0), np.zeros(0, np.float32))
        label = f"at {clock(row['start_s'])} s" if is_one else f"{row['path']} at {clock(row['start_s'])} s"
        return replace(whole.between(row["start_s"], row["end_s"], label), segments=segments)

    def _recording_id(self, text: str) -> str:
        """The id as the database has it.

        Raises
        ------
        NotFoundError
            where no recording has it.
        """
        row = self._reading.row(
            "select recording_id from recordings where recording_id = $id", {"id": text.lower()}
        )
        if row is None:
            raise NotFoundError(f"there is no recording {text[:40]!r}; the list of recordings names all")
        return str(row["recording_id"])

    def _heard(self) -> Listener:
        from motifdb.pipelines.listening import Listener

        snapshot = self._reading.database.snapshot
        if self._listener is None or self._listener[0] != snapshot.commit:
            self._listener = (snapshot.commit, Listener(snapshot, audio_dir=self._audio_dir))
        return self._listener[1]

    def _page(self, template: str, request: Request, status_: int = 200, **values: Any) -> Response:
        reading = self._reading
        values.setdefault("sentence", "")
        body = self._templates.get_template(template).render(
            request_path=request.url.path,
            database=reading.path.name,
            database_path=str(reading.path),
            commit=reading.commit,
            is_fixed=reading.is_fixed,
            **values,
        )
        return self._html(body, status_)

    def _html(self, body: str, status: int = 200) -> Response:
        from starlette.responses import HTMLResponse

        return HTMLResponse(body, status, headers={"cache-control": "no-store"})


def _given(request: Request) -> defaultdict[str, str]:
    """The fields of an address; one that is not there is empty."""
    return defaultdict(str, request.query_params)


def _paging(given: Mapping[str, str]) -> tuple[int, int]:
    """Page, from 1, and rows on it."""
    return forms.whole(given, "page", 1), forms.whole(given, "rows", listing.ROWS, at_most=listing.MOST_ROWS)
