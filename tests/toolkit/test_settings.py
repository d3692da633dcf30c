"""Where a wrong value stands is named with its line, however the file is laid out."""

import pytest

from toolkit.settings import Settings, SettingsError


def problems(tmp_path, text, read):
    path = tmp_path / "file.toml"
    path.write_text(text, "utf-8")
    settings = Settings(path)
    read(settings.root)
    settings.root.finish()
    with pytest.raises(SettingsError) as caught:
        settings.finish()
    return [problem.removeprefix(f"{path}") for problem in caught.value.problems]


def number(key):
    return lambda table: table.integer(key, low=1, high=9)


def test_a_key(tmp_path):
    (problem,) = problems(tmp_path, "# first\na = 10\n", number("a"))
    assert problem == ":2: a is 10; allowed: a whole number from 1 to 9"


def test_a_key_behind_an_array_of_several_lines(tmp_path):
    text = "points = [\n  [1, 2],\n  [3, 4]\n]\na = 10\n"
    (problem,) = problems(tmp_path, text, lambda t: (t.has("points"), number("a")(t)))
    assert problem.startswith(":5: a is 10")


def test_brackets_in_texts_and_comments_open_nothing(tmp_path):
    text = 'word = "[["  # [\na = 10\n'
    (problem,) = problems(tmp_path, text, lambda t: (t.has("word"), number("a")(t)))
    assert problem.startswith(":2: a is 10")


def test_a_quoted_key(tmp_path):
    text = '[ports]\n"buoy-1.gnss" = 70000\n'

    def read(table):
        ports = table.table("ports")
        assert ports.names() == ["buoy-1.gnss"]
        ports.integer("buoy-1.gnss", low=0, high=65535)

    (problem,) = problems(tmp_path, text, read)
    assert problem.startswith(":2: ports.buoy-1.gnss is 70000")


def test_a_list_of_tables(tmp_path):
    text = "[[a]]\nb = 1\n\n[[a]]\nb = 10\n[[a.c]]\nd = 0\n"

    def read(table):
        for one in table.tables("a"):
            number("b")(one)
            for inner in one.tables("c"):
                number("d")(inner)

    assert [p.split(" ")[0] for p in problems(tmp_path, text, read)] == [":5:", ":7:"]


def test_a_missing_key_is_told_where_its_table_begins(tmp_path):
    (problem,) = problems(
        tmp_path, "\n[a]\nc = 1\n", lambda t: (t.table("a").has("c"), number("b")(t.table("a")))
    )
    assert problem.startswith(":2: a.b is missing")


def test_a_value_read_by_a_function(tmp_path):
    def pair(value):
        if not isinstance(value, list) or len(value) != 2:
            raise ValueError
        return value

    def read(table):
        assert table.parsed("a", pair, allowed="a pair", placeholder=[]) == []

    (problem,) = problems(tmp_path, "a = [1]\n", read)
    assert problem == ":1: a is [1]; allowed: a pair"


def test_an_unknown_key_names_the_known_ones(tmp_path):
    (problem,) = problems(tmp_path, "a = 1\nab = 2\n", number("a"))
    assert problem == ":2: ab is not a known key; known here: a"
