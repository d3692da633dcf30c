"""Reads one TOML file and collects everything that is wrong with it.

    settings = Settings(path)
    port = settings.root.integer("port", low=0, high=65535, default=8080)
    settings.finish()               # raises SettingsError with every problem, each with its line

A problem names file, line, key (dotted, list items counted from 0), value, and what is allowed.
Reading goes on after one, with a placeholder, so that a person mends a file once and not ten times.
"""

import contextlib
import re
import tomllib
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

_T = TypeVar("_T")

_LIST_HEADER: Final = re.compile(r"\s*\[\[\s*([^\]]+?)\s*\]\]")
_TABLE_HEADER: Final = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?$")
_KEY: Final = re.compile(r"""\s*(?:([A-Za-z0-9_.-]+)|"([^"]+)"|'([^']+)')\s*=(.*)""")
_QUOTED: Final = re.compile(r""""(?:[^"\\]|\\.)*"|'[^']*'|#.*""")
_SHOWN_MAX: Final = 60  # characters of a wrong value that are repeated to its author


class SettingsError(Exception):
    """A file that cannot be used; `problems` says why, one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings:
    """One TOML file while it is read. `text` are its characters, `root` its outermost table.

    Raises:
        SettingsError: the file cannot be read, or is not TOML.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        try:
            self.text = path.read_text("utf-8")
            data = tomllib.loads(self.text)
        except OSError as error:
            raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError([f"{path}: not TOML: {error}"]) from error
        self._lines = _line_index(self.text)
        self.root = Table(self, data, "")

    def problem(self, key: str, what: str) -> None:
        """Note what is wrong at a dotted key."""
        at = key
        while at and at not in self._lines:  # a missing key: where its table begins
            at = at.rpartition(".")[0]
        where = f"{self.path}:{self._lines[at]}" if at else str(self.path)
        self.problems.append(f"{where}: {key} {what}")

    def finish(self) -> None:
        """Raise SettingsError if there was any problem."""
        if self.problems:
            raise SettingsError(self.problems)


class Table:
    """A table of the file. Each reader takes a key's value or notes what is wrong with it."""

    def __init__(self, settings: Settings, data: dict[str, Any], path: str) -> None:
        self.path = path
        self._settings = settings
        self._data = data
        self._asked: set[str] = set()

    def at(self, key: str) -> str:
        """Return a key's dotted path."""
        return f"{self.path}.{key}" if self.path else key

    def problem(self, key: str, what: str) -> None:
        """Note what is wrong with a key; with no key, with the table itself."""
        self._settings.problem(self.at(key) if key else self.path, what)

    def names(self) -> list[str]:
        """Return the keys that are there, of a table whose keys are names and so all known."""
        self._asked.update(self._data)
        return list(self._data)

    def parsed(self, key: str, parse: Callable[[Any], _T], *, allowed: str, placeholder: _T) -> _T:
        """Read a value by `parse`, which raises ValueError for what is not `allowed`; required."""
        value = self._take(key, None, allowed)
        with contextlib.suppress(ValueError):
            return parse(value)
        return self._wrong(key, value, allowed, placeholder)

    def has(self, key: str) -> bool:
        """Return whether the key is there; a key that was asked for is a known one."""
        self._asked.add(key)
        return key in self._data

    def string(
        self, key: str, *, default: str | None = None, pattern: str = r"(?s).+", allowed: str = ""
    ) -> str:
        """Read a text that matches `pattern` wholly; required if there is no default."""
        allowed = allowed or "text that is not empty"
        value = self._take(key, default, allowed)
        if isinstance(value, str) and (value == default or re.fullmatch(pattern, value.strip())):
            return value.strip()
        return self._wrong(key, value, allowed, default or "")

    def choice(self, key: str, choices: Collection[str], default: str | None = None) -> str:
        """Read one of some words."""
        allowed = "one of " + ", ".join(choices)
        value = self._take(key, default, allowed)
        if isinstance(value, str) and value in choices:
            return value
        return self._wrong(key, value, allowed, default or "")

    def integer(self, key: str, *, low: int, high: int, default: int | None = None) -> int:
        """Read a whole number within low and high."""
        allowed = f"a whole number from {low} to {high}"
        value = self._take(key, default, allowed)
        if type(value) is int and low <= value <= high:
            return value
        return self._wrong(key, value, allowed, low)

    def number(self, key: str, *, low: float, high: float, unit: str = "") -> float:
        """Read a number within low and high."""
        allowed = f"{low} to {high} {unit}".rstrip()
        value = self._take(key, None, allowed)
        if type(value) in {int, float} and low <= value <= high:
            return float(value)
        return self._wrong(key, value, allowed, low)

    def boolean(self, key: str, *, default: bool) -> bool:
        """Read true or false."""
        value = self._take(key, default, "true or false")
        if isinstance(value, bool):
            return value
        return self._wrong(key, value, "true or false", default)

    def moment(self, key: str) -> datetime:
        """Read a date and time that says its offset from UTC."""
        allowed = "a date and time with its offset, as in 2026-01-01T00:00:00+08:00"
        value = self._take(key, None, allowed)
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value
        return self._wrong(key, value, allowed, datetime.min.replace(tzinfo=UTC))

    def table(self, key: str) -> "Table":
        """Read a table; an empty one if it is absent."""
        self._asked.add(key)
        value = self._data.get(key, {})
        if not isinstance(value, dict):
            value = self._wrong(key, value, "a table", {})
        return Table(self._settings, value, self.at(key))

    def tables(self, key: str) -> list["Table"]:
        """Read a list of tables, `[[key]]`; an empty one if it is absent."""
        self._asked.add(key)
        value = self._data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            value = self._wrong(key, value, f"tables, each headed [[{key}]]", [])
        path = self.at(key)
        return [Table(self._settings, item, f"{path}[{n}]") for n, item in enumerate(value)]

    def finish(self) -> None:
        """Note every key that nobody asked for: a misspelt one would be ignored in silence."""
        known = ", ".join(sorted(self._asked))
        for key in self._data:
            if key not in self._asked:
                self.problem(key, f"is not a known key; known here: {known}")

    def _take(self, key: str, default: Any, allowed: str) -> Any:
        self._asked.add(key)
        if key in self._data:
            return self._data[key]
        if default is None:
            self.problem(key, f"is missing; allowed: {allowed}")
        return default

    def _wrong(self, key: str, value: Any, allowed: str, placeholder: _T) -> _T:
        if key in self._data:
            shown = str(value) if isinstance(value, datetime) else repr(value)
            if len(shown) > _SHOWN_MAX:
                shown = shown[:_SHOWN_MAX] + "…"
            self.problem(key, f"is {shown}; allowed: {allowed}")
        return placeholder


def _line_index(text: str) -> dict[str, int]:
    """Return the line of every key and table header, by dotted path.

    tomllib tells no lines. This reads headers and keys at the start of a line, which is how people
    write them; a key that it does not see is reported without its line.
    """
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    prefix = ""

    def resolve(name: str) -> str:
        path = ""
        for part in name.split("."):
            path = f"{path}.{part.strip()}" if path else part.strip()
            if path in counts:
                path = f"{path}[{counts[path] - 1}]"
        return path

    depth = 0  # brackets open: the lines of a value that goes on hold no keys of ours
    for number, line in enumerate(text.splitlines(), 1):
        if depth > 0:
            depth += _brackets(line)
        elif header := _LIST_HEADER.match(line):
            *outer, last = header[1].split(".")
            path = f"{resolve('.'.join(outer))}.{last.strip()}" if outer else last.strip()
            counts[path] = counts.get(path, 0) + 1
            prefix = f"{path}[{counts[path] - 1}]"
            lines[prefix] = number
        elif header := _TABLE_HEADER.match(line):
            prefix = resolve(header[1])
            lines[prefix] = number
        elif key := _KEY.match(line):
            name = key[1] or key[2] or key[3]
            lines.setdefault(f"{prefix}.{name}" if prefix else name, number)
            depth = _brackets(key[4])
    return lines


def _brackets(line: str) -> int:
    """Return how many brackets a piece of a value opens more than it closes."""
    bare = _QUOTED.sub("", line)
    return bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")
