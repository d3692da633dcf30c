import pytest

from gateway.config import load
from toolkit.settings import SettingsError


def test_everything_has_a_default(tmp_path):
    path = tmp_path / "gateway.toml"
    path.write_text("")
    config = load(path, {})
    assert (config.name, config.broker.port, config.data) == ("gateway-1", 1883, tmp_path / "data")
    assert config.series.url == f"sqlite:{tmp_path}/data/series"
    assert config.centre.url == ""


def test_secrets_come_from_the_environment_or_a_file(tmp_path):
    path = tmp_path / "gateway.toml"
    path.write_text('[broker]\npassword_file = "word"\n')
    (tmp_path / "word").write_text("from the file\n")
    assert load(path, {}).broker.password == "from the file"
    assert load(path, {"FAIRWAY_BROKER_PASSWORD": "x"}).broker.password == "x"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('name = "Gateway 1"', 1, ["name", "'Gateway 1'", "a-z"]),
        ("[broker]\nport = 0", 2, ["broker.port", "0", "1 to 65535"]),
        ("[broker]\nport = true", 2, ["broker.port", "True", "whole number"]),
        ('[broker]\nshards = "0g"', 2, ["broker.shards", "'0g'", "00 to ff"]),
        ('[broker]\nshards = "7f-00"', 2, ["broker.shards", "'7f-00'", "00-7f,a0"]),
        ('[broker]\nshards = "00-7f,10"', 2, ["broker.shards", "twice"]),
        ('[operation]\nlisten = "9108"', 2, ["operation.listen", "'9108'", "HOST:PORT"]),
        ('[operation]\nlisten = "::1:99999"', 2, ["operation.listen", "HOST:PORT"]),
        ('[operation]\nlisten = "[::1]:99999"', 2, ["operation.listen", "0 to 65535"]),
        ('[operation]\nlog = "xml"', 2, ["operation.log", "text, json"]),
        ('[broker]\npassword_file = "nowhere"', 2, ["broker.password_file", "nowhere"]),
        ("[series]\ngzip = true", 2, ["series.gzip", "auto, on, off"]),
        ("[series]\nfuture_s = -1", 2, ["series.future_s", "0 to 86400"]),
        ("[series]\nmonths = 1.5", 2, ["series.months", "0 to 1200"]),
        ('[series]\nurl = "mysql://x"', 2, ["series.url", "mysql", "sqlite:FOLDER"]),
        ("[commit]\nbatch = 0", 2, ["commit.batch", "1 to 10000"]),
        ("[keep]\nundated_dys = 3", 2, ["keep.undated_dys", "not a known key", "undated_days"]),
        ("[broker\n", None, ["not TOML"]),
    ],
)
def test_an_error_names_file_line_key_value_and_what_is_allowed(tmp_path, text, line, words):
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(path, {})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}:{line}:" if line else f"{path}:")
    for word in words:
        assert word in problem


def test_all_problems_at_once(tmp_path):
    path = tmp_path / "gateway.toml"
    path.write_text("[broker]\nport = 0\nkeepalive_s = 1\n")
    with pytest.raises(SettingsError) as caught:
        load(path, {})
    assert len(caught.value.problems) == 2


def test_shards_may_be_ranges(tmp_path):
    path = tmp_path / "gateway.toml"
    for text, shards in (
        ("+", ("+",)),
        ("00-02, 7f", ("00", "01", "02", "7f")),
        ("00-ff", tuple(f"{n:02x}" for n in range(256))),
    ):
        path.write_text(f'[broker]\nshards = "{text}"\n')
        assert load(path, {}).broker.shards == shards


def test_operation(tmp_path):
    path = tmp_path / "gateway.toml"
    path.write_text('[broker]\nsettings_file = "m.conf"\n[operation]\nlisten = ""\nlog = "json"\n')
    config = load(path, {})
    assert (config.operation.listen, config.operation.log) == ("", "json")
    assert config.broker.settings == tmp_path / "m.conf"
    path.write_text("")
    assert load(path, {}).operation.listen == "127.0.0.1:9108"
