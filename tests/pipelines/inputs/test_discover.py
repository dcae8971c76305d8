"""What is found below a path, and how its name is kept."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.errors import InputError, UsageError
from motifdb.pipelines.inputs.discover import (
    Found,
    discover,
    escape_path,
    read_content,
    read_head,
    unescape_path,
)


def names(*paths: Path, skip: tuple[Path, ...] = ()) -> list[bytes]:
    return [found.relative for found in discover(paths, skip=skip)]


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_every_path_survives_escaping(path: bytes) -> None:
    text = escape_path(path)
    assert unescape_path(text) == path
    assert text.isprintable() or all(c.isprintable() or ord(c) >= 0xA0 for c in text)
    assert not set(text) & set("\n\r\t\x00")
    text.encode()  # no surrogate is left


@settings(deadline=None)
@given(st.text(max_size=40))
def test_readable_text_stays_as_it_is(text: str) -> None:
    plain = "".join(c for c in text if c.isalnum())
    assert escape_path(plain.encode()) == plain


def test_two_paths_never_share_an_escape() -> None:
    assert escape_path(b"a%0A") == "a%250A" != escape_path(b"a\n") == "a%0A"


def test_a_tree_is_listed_in_order_without_housekeeping(tmp_path: Path) -> None:
    for name in (
        "b/2.wav",
        "b/10.wav",
        "a.wav",
        ".hidden.wav",
        ".git/x.wav",
        "songs.motifdb/tables/t.lance",
        "db/x",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "x.wav").mkdir()
    (tmp_path / "x.wav" / "inside.wav").write_bytes(b"abc")
    found = list(discover([tmp_path], skip=[tmp_path / "db"]))
    assert [f.relative for f in found] == [b"a.wav", b"b/10.wav", b"b/2.wav", b"x.wav/inside.wav"]
    assert found[-1].size_bytes == 3
    assert found[-1].mtime_ns == (tmp_path / "x.wav" / "inside.wav").stat().st_mtime_ns
    assert found[-1].name == b"inside.wav"
    assert all(f.root == tmp_path and f.error is None for f in found)


def test_a_file_is_found_below_its_folder_and_once(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    file.write_bytes(b"x")
    assert list(discover([file, file])) == [Found(tmp_path, b"a.wav", 1, file.stat().st_mtime_ns)]


def test_odd_names_are_found_and_can_be_opened(tmp_path: Path) -> None:
    odd = [b"new\nline.wav", "Ārabhi ♪.wav".encode(), b"caf\xe9.wav", b"100%.wav", b" lead.wav"]
    for name in odd:
        (tmp_path / os.fsdecode(name)).write_bytes(name)
    found = list(discover([tmp_path]))
    assert [f.relative for f in found] == sorted(odd)
    assert all(read_content(f) == f.relative for f in found)
    assert {f.escaped for f in found} >= {"new%0Aline.wav", "caf%E9.wav", "100%25.wav", "Ārabhi ♪.wav"}


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    corpus, elsewhere = tmp_path / "corpus", tmp_path / "elsewhere"
    (corpus / "z").mkdir(parents=True)
    elsewhere.mkdir()
    (corpus / "z" / "real.wav").write_bytes(b"1")
    (elsewhere / "far.wav").write_bytes(b"22")
    (corpus / "a_link_to_z").symlink_to(corpus / "z")
    (corpus / "file_link.wav").symlink_to(elsewhere / "far.wav")
    (corpus / "far").symlink_to(elsewhere)
    (corpus / "z" / "loop").symlink_to(corpus)
    (corpus / "up").symlink_to(tmp_path)
    (elsewhere / "back").symlink_to(corpus)
    assert sorted(names(corpus)) == [b"far/far.wav", b"file_link.wav", b"z/real.wav"]


def test_broken_and_self_referring_links_are_errors_not_crashes(tmp_path: Path) -> None:
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nothing")
    (tmp_path / "self.wav").symlink_to(tmp_path / "self.wav")
    (tmp_path / "good.wav").write_bytes(b"x")
    found = {f.relative: f for f in discover([tmp_path])}
    assert found[b"good.wav"].error is None
    assert found[b"gone.wav"].error == "gone.wav cannot be read: no such file or directory"
    assert "self.wav cannot be read" in (found[b"self.wav"].error or "")
    with pytest.raises(InputError) as caught:
        read_content(found[b"gone.wav"])
    assert (caught.value.kind, caught.value.stage) == ("unreadable", "discover")


def test_pipes_and_sockets_are_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(tmp_path)  # a socket's address may have 108 bytes only
        try:
            server.bind("socket.wav")
        finally:
            os.chdir(here)
        (tmp_path / "a.wav").write_bytes(b"")
        assert names(tmp_path) == [b"a.wav"]


def test_what_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file or folder .*nothing; check the spelling"):
        discover([tmp_path / "nothing"])
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        discover(["/dev/null"])


_AS_ANOTHER_USER = """
import os, sys
from motifdb.errors import InputError
from motifdb.pipelines.inputs.discover import discover, read_head
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for found in discover([sys.argv[1]]):
    try:
        read_head(found)
        print(found.escaped, "read")
    except InputError as error:
        print(error.kind, error)
"""


def test_missing_permission_is_a_sentence_for_each_entry() -> None:
    """Run as a user whom permissions bind, also where the tests run as root."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        top.chmod(0o755)
        (top / "locked").mkdir()
        for file in ("locked/a.wav", "secret.wav", "open.wav"):
            (top / file).write_bytes(b"x")
            (top / file).chmod(0o644)
        (top / "secret.wav").chmod(0)
        (top / "locked").chmod(0)
        try:
            run = subprocess.run(
                [sys.executable, "-B", "-c", _AS_ANOTHER_USER, name],
                capture_output=True,
                text=True,
                timeout=60,
            )
        finally:
            (top / "locked").chmod(0o700)
    assert run.stderr == ""
    assert sorted(run.stdout.splitlines()) == [
        "open.wav read",
        "unreadable secret.wav cannot be read: permission denied",
        "unreadable the folder locked cannot be listed: permission denied",
    ]


def test_ten_thousand_files_take_well_under_a_second_and_none_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in range(10):
        (tmp_path / str(folder)).mkdir()
        for number in range(1000):
            os.mknod(tmp_path / str(folder) / f"{number}.wav")
    monkeypatch.setattr("builtins.open", lambda *a, **k: pytest.fail("a file was opened"))
    start = time.process_time()
    assert len(names(tmp_path)) == 10_000
    assert time.process_time() - start < 1.0


def test_the_head_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"x" * 100_000)
    (found,) = discover([tmp_path])
    assert len(read_head(found)) == 65_536


def test_a_database_is_no_folder_of_recordings(tmp_path: Path) -> None:
    (tmp_path / "a.motifdb" / "tables").mkdir(parents=True)
    (tmp_path / "a.motifdb" / "format").write_text("x")
    with pytest.raises(UsageError, match="is a database; name the folder of the recordings"):
        discover([tmp_path / "a.motifdb"])
    assert names(tmp_path) == []
