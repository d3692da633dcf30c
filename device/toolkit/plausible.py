"""What the table of settings cannot hold: values that are no character, no date, or do not fit together.

A board that meets them uses a default and says so; here they are found before the technician leaves.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from agent.config import Settings
from agent.profiles.shorepower import meter_of
from agent.sense import character
from agent.sense.utc import end_of_day

_MMSI_DIGITS: Final = 9

# Device code has no types.
_character: Any = character.read
_meter_of: Any = meter_of
_end_of_day: Any = end_of_day


def problems(settings: Settings) -> list[str]:
    """Return what is wrong with settings that the table allows, each with its key and what to do."""
    checks: list[Callable[[Settings], Iterator[str]]] = [_meter, _certificate, _supply]
    if settings["profile"] == "beacon":
        checks = [_light, _station, _motion, _battery, _weather, _ais]
    return [f"settings: {problem}" for check in checks for problem in check(settings)]


def _light(settings: Settings) -> Iterator[str]:
    if settings["light.character"]:
        try:
            _character(settings["light.character"])
        except ValueError as error:
            yield f"light.character: {error}"
    if settings["light.off_lux"] <= settings["light.on_lux"]:
        yield "light.off_lux: allowed: above light.on_lux, or the light would have no dusk"


def _station(settings: Settings) -> Iterator[str]:
    if (settings["station.lat_e6"] == 0) != (settings["station.lon_e6"] == 0):
        yield "station.lat_e6, station.lon_e6: give both, or neither to watch no station"
    chain_dm, depth_cm = settings["station.chain_dm"], settings["station.depth_cm"]
    if chain_dm and depth_cm >= 10 * chain_dm:
        yield "station.chain_dm: allowed: longer than the water is deep (station.depth_cm)"


def _motion(settings: Settings) -> Iterator[str]:
    words = settings["motion.up"].split(",")
    if settings["motion.up"] and (len(words) != 3 or not all(_is_number(word) for word in words)):
        yield "motion.up: allowed: three whole numbers with commas, as 0,0,1000"


def _is_number(word: str) -> bool:
    return word.strip().removeprefix("-").isdecimal()


def _battery(settings: Settings) -> Iterator[str]:
    if settings["battery.alarm_days"] >= settings["battery.warn_days"]:
        yield "battery.alarm_days: allowed: below battery.warn_days"


def _weather(settings: Settings) -> Iterator[str]:
    if settings["weather.low_cm"] >= settings["weather.high_cm"]:
        yield "weather.low_cm: allowed: below weather.high_cm"


def _ais(settings: Settings) -> Iterator[str]:
    for word in settings["ais.neighbours"].split(","):
        if word.strip() and not (word.strip().isdecimal() and len(word.strip()) == _MMSI_DIGITS):
            yield f"ais.neighbours: {word.strip()!r} is no MMSI of nine digits"
    if settings["ais.unit"] != "none" and not settings["ais.own_mmsi"]:
        yield "ais.own_mmsi: give the aid's own MMSI, for its AIS unit (ais.unit) to speak with"


def _meter(settings: Settings) -> Iterator[str]:
    try:
        _meter_of(None, settings)
    except ValueError as error:
        yield f"meter.{error}"


def _certificate(settings: Settings) -> Iterator[str]:
    text = settings["meter.certified_until"]
    if text and _end_of_day(text) is None:
        yield f"meter.certified_until: {text!r} is no date since 2020; allowed: YYYY-MM-DD"


def _supply(settings: Settings) -> Iterator[str]:
    if settings["supply.residual_ma"] > settings["supply.rated_a"] * 1000:
        yield "supply.residual_ma: allowed: below supply.rated_a; it is in mA"
