"""serve.toml, the folder of a service, and where it listens."""

import os
from pathlib import Path

import pytest

from personastream.errors import CannotCreate, ConfigError, CorruptOutput
from personastream.serve import room
from personastream.serve.listening import hosts_of, place_of
from personastream.serve.room import Need, Room, missing
from personastream.serve.root import Root, is_name, read_small
from personastream.serve.settings import Api, load_settings
from personastream.serve.wanted import Wanted

GB = 10**9


def test_without_a_file_all_has_defaults_and_changes_stand_above_it(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "serve.toml", ["serve.jobs_max=7"])
    assert (settings.serve.jobs_max, settings.api.listen, settings.limits.spend_max) == (7, "127.0.0.1:8765", 0.0)
    assert settings.endpoints == []


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[serv]", "unknown section [serv]", "serve"),
        ("[serve]\njobs_mx = 1", "unknown key `jobs_mx`", "jobs_max"),
        ("[serve]\njobs_max = 0", "below the minimum", ""),
        ('[serve]\njobs_max = "4"', "must be a whole number", ""),
        ("[endpoint]\nid = 'x'", "double brackets", ""),
        ("[[endpoint]]\nin_flight_max = 3", "id is missing", ""),
        ("serve = 3", "must be a table", ""),
        ("[serve", "not valid TOML", ""),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, message: str, hint: str) -> None:
    file = tmp_path / "serve.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_settings(file)
    assert message in raised.value.message
    assert str(file) in raised.value.message
    assert hint in raised.value.hint


@pytest.mark.parametrize("listen", ["0.0.0.0:8765", "[::]:80", "192.168.0.1:1", "example.org:80"])
def test_other_machines_reach_it_only_if_that_is_said(listen: str) -> None:
    with pytest.raises(ConfigError, match="other machines"):
        place_of(Api(listen=listen), Path("/r"))
    assert place_of(Api(listen=listen, beyond_loopback=True), Path("/r")).port


@pytest.mark.parametrize("listen", ["", "8765", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999", ":80"])
def test_what_is_no_address_is_refused(listen: str) -> None:
    with pytest.raises(ConfigError):
        place_of(Api(listen=listen), Path("/r"))


def test_it_is_called_by_names_of_this_machine_and_by_those_that_are_given() -> None:
    place = place_of(Api(), Path("/r"))
    assert hosts_of(place, 80, ["proxy.example"]) == {"127.0.0.1:80", "localhost:80", "[::1]:80", "proxy.example"}


def test_the_token_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    root = Root(tmp_path)
    token = root.token()
    assert len(token) >= 40
    assert root.token() == token
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    (tmp_path / "token").chmod(0o640)
    with pytest.raises(ConfigError, match="read by others"):
        root.token()


@pytest.mark.parametrize("content", ["", "short", "with a space in its middle", "é" * 40])
def test_a_file_without_a_token_in_it_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content)
    (tmp_path / "token").chmod(0o600)
    with pytest.raises(ConfigError):
        Root(tmp_path).token()


def test_a_root_is_held_by_one(tmp_path: Path) -> None:
    with Root(tmp_path).held(), pytest.raises(CannotCreate, match="another process"), Root(tmp_path).held():
        pass
    with Root(tmp_path).held():
        pass


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"format": 99}', b"\xff"])
def test_a_damaged_job_is_told(tmp_path: Path, damage: bytes) -> None:
    root = Root(tmp_path)
    root.make()
    root.add_job("math", b"x = 1", Wanted(1, "", "/", "/"))
    assert root.read_job("math")[0] == b"x = 1"
    (tmp_path / "jobs" / "math" / "job.json").write_bytes(damage)
    with pytest.raises(CorruptOutput, match="damaged"):
        root.read_job("math")


def test_no_file_is_read_by_way_of_a_link_nor_one_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_bytes(b"x" * 100)
    for name in ("link", "fifo", "large", "missing"):
        with pytest.raises((OSError, ValueError)):
            read_small(tmp_path / name, 99)
    assert read_small(tmp_path / "large", 100) == b"x" * 100


def test_names_are_single_parts_of_paths() -> None:
    assert all(map(is_name, ("a", "math-2.1", "0", "a" * 64, "a..b")))
    assert not any(map(is_name, ("", ".", "..", "a/b", "A", "a\n", "a" * 65, "-a", "_a", "ä")))


@pytest.mark.parametrize(
    ("need", "word"),
    [
        (Need(1 * GB, 100), ""),
        (Need(9 * GB, 100), "memory"),
        (Need(1 * GB, 900), "files"),
    ],
)
def test_what_is_missing_is_told(need: Need, word: str) -> None:
    there = Room(
        memory_bytes=1 * GB,
        memory_bytes_max=8 * GB,
        connections=0,
        descriptors_max=1024,
        disk_free_bytes=2 * GB,
        disk_bytes_min=1 * GB,
    )
    found = missing(need, there)
    assert word in found
    assert bool(word) == bool(found)


def test_a_full_disk_lets_nothing_start() -> None:
    assert "disk" in missing(Need(0, 0), Room(0, GB, 0, 1024, disk_free_bytes=1, disk_bytes_min=2))


def test_figures_of_this_machine_can_be_read(tmp_path: Path) -> None:
    assert 0 < room.memory_bytes() < room.memory_bytes_max() * 2
    assert room.descriptors() > 2
    assert room.descriptors_max() >= 64
    assert room.disk_free_bytes(tmp_path) > 0
