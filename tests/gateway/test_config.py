import pytest

from gateway.config import load
from toolkit.settings import SettingsError


def test_everything_has_a_default(tmp_path):
    path = tmp_path / "gateway.toml"
    path.write_text("")
    config = load(path, {})
    assert (config.name, config.broker.port, config.data) == ("gateway-1", 1883, tmp_path / "data")
    assert config.series.url == f"sqlite:{tmp_path}/data/series.sqlite"
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
        ('[broker]\npassword_file = "nowhere"', 2, ["broker.password_file", "nowhere"]),
        ('[series]\nurl = "mysql://x"', 2, ["series.url", "mysql", "sqlite:PATH"]),
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
