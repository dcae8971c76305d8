"""One small database for every page: six f0 tracks, mined by recording and over the corpus, with a family."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from motifdb.browse.app import make_app
from motifdb.browse.reading import Reading
from motifdb.catalog.store import Changes, open_writer
from motifdb.config import MiningConfig
from motifdb.pipelines.mining import MineOptions, mine_database
from motifdb.pipelines.progress import Quiet
from motifdb.schemas import TABLES
from tests.pipelines.small import make_f0_corpus, rows, run

if TYPE_CHECKING:
    from starlette.testclient import TestClient

SINGER = 'b <script>alert("x")</script> & co'
"""What the manifest calls one singer: a page must show it as text."""

FAMILY = "fa0001fa0001fa0001fa"


@pytest.fixture(scope="session")
def browsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database; tests that change it copy it."""
    folder = tmp_path_factory.mktemp("browsed")
    corpus = make_f0_corpus(folder / "songs", n=6)
    manifest = corpus / "manifest.csv"
    quoted = '"' + SINGER.replace('"', '""') + '"'
    manifest.write_text(manifest.read_text().replace("singer b", quoted))
    db = folder / "songs.motifdb"
    run(db, corpus, metadata=manifest)
    config = MiningConfig(scope="corpus", min_support=3, min_length=3, support="recordings")
    with open_writer(db, wait_s=10) as writer:
        mine_database(MineOptions(config, "together", engine="inline", workers=1), writer, Quiet())
        writer.commit(Changes(append=_family(db)), token="family", message="add a family")
    return db


def _family(db: Path) -> dict[str, object]:
    analysis = next(a["analysis_id"] for a in rows(db, "analyses") if a["kind"] == "pitch")
    recording = sorted(f["recording_id"] for f in rows(db, "files") if f["path"] == "a/00.csv")[0]
    family = {
        "family_id": FAMILY, "analysis_id": analysis, "scope": "recording", "scope_key": recording, "size": 2,
        "recordings": 1, "exemplar": 0, "duration_median_s": 1.0, "distance_median_cents": 21.0,
        "threshold_cents": 60.0,
    }  # fmt: skip
    members = [
        {"family_id": FAMILY, "member": i, "recording_id": recording, "start_s": start_s, "end_s": start_s + 1.0,
         "distance_cents": 21.0 * i, "transposition_cents": 0.0, "tempo_ratio": 1.0}
        for i, start_s in enumerate((0.5, 2.5))
    ]  # fmt: skip
    return {
        "families": TABLES["families"].table([family]),
        "family_members": TABLES["family_members"].table(members),
    }


@pytest.fixture
def copied(browsed: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(browsed, tmp_path / "songs.motifdb"))


@pytest.fixture(scope="session")
def reading(browsed: Path) -> Iterator[Reading]:
    made = Reading(browsed, threads=1)
    yield made
    made.close()


def client_of(reading: Reading) -> TestClient:
    """A client in this process; a defect is answered, not raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # starlette would rather have a newer client
        from starlette.testclient import TestClient

        return TestClient(
            make_app(reading),
            base_url="http://127.0.0.1",
            raise_server_exceptions=False,
            follow_redirects=False,
        )


@pytest.fixture(scope="session")
def client(reading: Reading) -> TestClient:
    return client_of(reading)
