"""Where the page is served: loopback alone, a port that is free."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from motifdb.browse.server import browse, listening
from motifdb.errors import UsageError


def test_the_page_is_bound_to_loopback_alone() -> None:
    with listening(0) as bound:
        assert bound.getsockname()[0] == "127.0.0.1" and bound.getsockname()[1] > 0


def test_a_taken_port_is_said_where_it_was_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} cannot be used.*listens there.*leave --port out"):
            listening(port)


def test_a_port_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="port 99999 cannot be used"):
        listening(99_999)


def test_another_port_is_taken_where_none_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setattr("motifdb.browse.server.PORT", other.getsockname()[1])
        with listening(None) as bound:
            assert bound.getsockname()[1] not in (0, other.getsockname()[1])


def test_a_folder_of_sound_that_is_not_there_is_said_before_serving(browsed: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--audio .*there is no such folder"):
        browse(browsed, None, 0, tmp_path / "nowhere", print, None)
