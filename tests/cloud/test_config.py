"""The configuration: every key, every error, and the command's plain words."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cloud import config
from tests.cloud.support import REGISTRY, RUN, TOKEN, files
from toolkit.settings import SettingsError

DEMO = Path(__file__).parents[2] / "config" / "demo" / "centre.toml"
GIVEN = {"FAIRWAY_INGEST_TOKEN": TOKEN}


def load(tmp_path, text, environ=None):
    """Load a configuration from text."""
    path = tmp_path / "centre.toml"
    path.write_text(text, "utf-8")
    return config.load(path, GIVEN if environ is None else environ)


def test_defaults_are_safe_and_lie_among_the_data(tmp_path):
    loaded = load(tmp_path, 'registry = "r.toml"\n')
    assert (loaded.host, loaded.port) == ("127.0.0.1", 8080)
    assert loaded.registry == tmp_path / "r.toml"
    assert loaded.database == f"sqlite:///{tmp_path / 'data' / 'centre.sqlite'}"
    assert loaded.series == f"sqlite:{tmp_path / 'data' / 'series'}"
    assert loaded.token == TOKEN
    assert loaded.tiles == ()


def test_relative_paths_are_relative_to_the_file(tmp_path):
    (tmp_path / "token").write_text("another-token-0123456789\n")
    loaded = load(
        tmp_path,
        'registry = "r.toml"\ndatabase = "sqlite:///x/c.db"\nseries = "sqlite:y/s.db"\n'
        '[ingest]\ntoken_file = "token"\n',
        {},
    )
    assert loaded.database == f"sqlite:///{tmp_path}/x/c.db"
    assert loaded.series == f"sqlite:{tmp_path}/y/s.db"
    assert loaded.token == "another-token-0123456789"


def test_the_command_line_and_the_environment_go_before_the_file(tmp_path):
    path = tmp_path / "centre.toml"
    path.write_text('registry = "r.toml"\ndata = "here"\n')
    environ = {**GIVEN, "FAIRWAY_DATABASE": "postgresql+psycopg://me:secret@host/fairway"}
    given = config.Overrides(tmp_path / "there", ("::1", 9))
    loaded = config.load(path, environ, given)
    assert (loaded.host, loaded.port) == ("::1", 9)
    assert loaded.data == tmp_path / "there"
    assert loaded.series == f"sqlite:{tmp_path / 'there' / 'series'}"
    assert loaded.database == environ["FAIRWAY_DATABASE"]
    given = config.Overrides(series="http://127.0.0.1:8428")
    assert config.load(path, environ, given).series == "http://127.0.0.1:8428"


TILES = 'registry = "r"\n[[tiles]]\nname = "n"\nurl = "https://t.example/{z}/{x}/{y}.png"\n'

BAD = [
    ("", "registry is missing; allowed: the registry file"),
    (
        'registry = "r"\n[listen]\nport = 70000',
        "listen.port is 70000; allowed: a whole number from",
    ),
    ('registry = "r"\n[listen]\nport = "80"', "listen.port is '80'; allowed: a whole number"),
    ('registry = "r"\n[listen]\nhost = ""', "listen.host is ''; allowed: an address"),
    ('registry = "r"\ndatabase = "mysql://x"', "database is 'mysql://x'; allowed: sqlite:///PATH"),
    (
        'registry = "r"\nseries = "influx:x"',
        "series is 'influx:x'; allowed: sqlite:FOLDER or http",
    ),
    ('registry = "r"\n[keep]\nais_days = 0', "keep.ais_days is 0; allowed: a whole number from 1"),
    ('registry = "r"\nregitsry = "r"', "regitsry is not a known key; known here: data, database"),
    ('registry = "r"\n[ingest]\ntoken_file = "no"', "ingest.token_file is 'no', which cannot be"),
    (TILES, "tiles[0].datum is missing; allowed: one of wgs84, gcj02"),
    (TILES + 'datum = "bd09"', "tiles[0].datum is 'bd09'; allowed: one of wgs84, gcj02"),
    (TILES.replace("{z}", "") + 'datum = "wgs84"', "tiles[0].url is"),
    (TILES.replace("{x}", "") + 'datum = "wgs84"', "tiles[0].url is"),
    (TILES.replace("https://", "ftp://") + 'datum = "wgs84"', "tiles[0].url is"),
    (TILES.replace("t.example", "t.example; x") + 'datum = "wgs84"', "tiles[0].url is"),
]


@pytest.mark.parametrize(("text", "said"), BAD, ids=[said for _, said in BAD])
def test_each_wrong_value_is_named(tmp_path, text, said):
    environ = {} if "token_file" in said else GIVEN
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text, environ)
    assert any(said in problem for problem in caught.value.problems), caught.value.problems
    assert all(str(tmp_path / "centre.toml") in problem for problem in caught.value.problems)


@pytest.mark.parametrize("token", ["short", "x" * 300, "with a space in it, long enough"])
def test_a_bad_token_is_refused_and_not_repeated(tmp_path, token):
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, 'registry = "r"', {"FAIRWAY_INGEST_TOKEN": token})
    [said] = caught.value.problems
    assert "ingest.token_file from FAIRWAY_INGEST_TOKEN; allowed: 16 to 256" in said
    assert token not in said


def test_without_a_token_nothing_starts(tmp_path):
    with pytest.raises(SettingsError, match="a file, or FAIRWAY_INGEST_TOKEN instead"):
        load(tmp_path, 'registry = "r"', {})


def test_the_demo_is_good():
    assert config.load(DEMO, GIVEN).registry.exists()


def command(*arguments, **environ):
    """Run `fairway centre` to its end; return the finished process."""
    return subprocess.run(
        [sys.executable, "-c", RUN, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=30,
        env={"PATH": "/usr/bin:/bin", **environ},
        check=False,
    )


class TestCommand:
    def test_check_says_what_is_there(self, tmp_path):
        done = command("check", "--config", files(tmp_path), **GIVEN)
        assert done.returncode == 0, done.stderr
        assert "registry.toml: good, 4 assets and 4 devices" in done.stdout

    @pytest.mark.parametrize(
        ("option", "value"), [("--listen", "8080"), ("--listen", "x:y"), ("--series", "influx:x")]
    )
    def test_an_option_that_makes_no_sense_is_refused(self, tmp_path, option, value):
        done = command("check", "--config", files(tmp_path), option, value, **GIVEN)
        assert done.returncode == 2
        assert repr(value) in done.stderr

    def test_check_says_what_is_wrong(self, tmp_path):
        path = files(tmp_path, registry=REGISTRY.replace("lat = 31.10", "lat = 310"))
        done = command("check", "--config", path, **GIVEN)
        assert done.returncode == 1
        assert "navaid[0].station[0].lat is 310; allowed: -90.0 to 90.0 degrees" in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_taken_port_is_said_plainly(self, tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            (tmp_path / "registry.toml").write_text(REGISTRY, "utf-8")
            path = tmp_path / "centre.toml"
            path.write_text(f'registry = "registry.toml"\n[listen]\nport = {port}\n')
            done = command("--config", path, **GIVEN)
        assert done.returncode == 1
        assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in done.stderr
        assert "[listen] port" in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_database_that_cannot_be_opened_is_said_plainly(self, tmp_path):
        (tmp_path / "data").write_text("a file where a folder belongs")
        done = command("--config", files(tmp_path), **GIVEN)
        assert done.returncode == 1
        assert "centre.sqlite" in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_password_is_never_shown(self, tmp_path):
        url = "postgresql+nodriver://me:secret@127.0.0.1/fairway"
        done = command("--config", files(tmp_path), **GIVEN, FAIRWAY_DATABASE=url)
        assert done.returncode == 1
        assert "no such kind of database" in done.stderr
        assert "secret" not in done.stderr
