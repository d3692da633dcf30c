"""Reading TOML so that every error says where it is and what was expected.

    table = load(Path("config/demo/estuary.toml"))
    seed = table.integer("seed", 0, 2**31 - 1)
    wind = table.table("wind").numbers({"mean_mps": (0, 40)})
    table.finish()

An error reads `config/demo/estuary.toml: wind.mean_mps = 'calm': expected a number from 0 to 40`.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from simulators.world.place import Place

_MISSING = object()
Range = tuple[float, float]


class SettingsError(Exception):
    """A file that cannot be read, or a value in it that cannot be used: says all of it."""


def load(path: Path) -> "Table":
    """Read a TOML file.

    Raises:
        SettingsError: there is no such file, or it is not TOML.
    """
    try:
        return Table(tomllib.loads(path.read_text("utf-8")), str(path), "")
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error


class Table:
    """One table of a TOML file, which knows its place and which of its keys were read."""

    def __init__(self, values: dict[str, Any], file: str, path: str) -> None:
        self._values = values
        self._file = file
        self._path = path
        self._read: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def where(self, key: str) -> str:
        """Return file and full name of a key."""
        return f"{self._file}: {self._name(key)}"

    def error(self, key: str, expected: str) -> SettingsError:
        """Return the error that says what `key` should have been."""
        where = self.where(key)
        if key not in self._values:
            return SettingsError(f"{where} is missing: expected {expected}")
        return SettingsError(f"{where} = {self._values[key]!r}: expected {expected}")

    def text(self, key: str, choices: Sequence[str] = ()) -> str:
        """Return a text that is not empty and, if there are choices, one of them."""
        value = self._get(key)
        if not isinstance(value, str) or not value or (choices and value not in choices):
            raise self.error(key, "one of " + ", ".join(choices) if choices else "a text")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """Return a truth value."""
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, "true or false")
        return value

    def integer(self, key: str, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`."""
        value = self._get(key)
        if type(value) is not int or not low <= value <= high:
            raise self.error(key, f"a whole number from {low} to {high}")
        return value

    def number(self, key: str, low: float, high: float) -> float:
        """Return a number from `low` to `high`."""
        value = self._get(key)
        if not _is_number(value) or not low <= value <= high:
            raise self.error(key, f"a number from {low:g} to {high:g}")
        return float(value)

    def numbers(self, ranges: Mapping[str, Range]) -> dict[str, float]:
        """Return those of some numbers that are there."""
        return {key: self.number(key, *limits) for key, limits in ranges.items() if key in self}

    def span(self, key: str, low: float, high: float) -> Range:
        """Return a pair `[from, to]`, both from `low` to `high`."""
        value = self._get(key)
        if (
            not isinstance(value, list)
            or len(value) != 2
            or not all(map(_is_number, value))
            or not low <= value[0] <= value[1] <= high
        ):
            raise self.error(key, f"[from, to], from {low:g} to {high:g}")
        return float(value[0]), float(value[1])

    def spans(self, ranges: Mapping[str, Range]) -> dict[str, Range]:
        """Return those of some pairs that are there."""
        return {key: self.span(key, *limits) for key, limits in ranges.items() if key in self}

    def moment(self, key: str) -> float | None:
        """Return a date with time and zone as Unix seconds; None if there is none."""
        value = self._get(key, None)
        if value is None:
            return None
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise self.error(key, "a date and time with zone, as 2026-01-01T00:00:00+08:00")
        return value.timestamp()

    def place(self) -> Place:
        """Return the place of the keys `lat` and `lon`, degrees."""
        return Place(self.number("lat", -89.0, 89.0), self.number("lon", -180.0, 180.0))

    def places(self, key: str) -> list[Place]:
        """Return a list of at least two different places, each `[lat, lon]`."""
        value = self._get(key)
        expected = "at least two different places [lat, lon] in degrees"
        if not isinstance(value, list):
            raise self.error(key, expected)
        places: list[Place] = []
        for pair in value:
            if not isinstance(pair, list) or len(pair) != 2 or not all(map(_is_number, pair)):
                raise self.error(key, expected)
            place = Place(*map(float, pair))
            if abs(place.lat) > 89 or abs(place.lon) > 180 or place in places[-1:]:
                raise self.error(key, expected)
            places.append(place)
        if len(places) < 2:
            raise self.error(key, expected)
        return places

    def table(self, key: str) -> "Table":
        """Return a table, an empty one if there is none."""
        value = self._get(key, {})
        if not isinstance(value, dict):
            raise self.error(key, f"a table [{self._name(key)}]")
        return Table(value, self._file, self._name(key))

    def tables(self, key: str) -> list["Table"]:
        """Return a list of tables, empty if there is none."""
        value = self._get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self.error(key, f"tables [[{self._name(key)}]]")
        return [Table(one, self._file, f"{self._name(key)}[{i}]") for i, one in enumerate(value)]

    def finish(self) -> None:
        """Refuse a key that nothing has asked for: it is misspelt."""
        for key in self._values:
            if key not in self._read:
                raise SettingsError(f"{self.where(key)} is not a setting")

    def _get(self, key: str, default: Any = _MISSING) -> Any:
        self._read.add(key)
        value = self._values.get(key, default)
        return None if value is _MISSING else value

    def _name(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key


def _is_number(value: object) -> bool:
    return type(value) in {int, float}
