"""The surroundings that everything at sea shares."""

import random
from dataclasses import dataclass

from simulators.world.tide import Tide, TideSettings
from simulators.world.weather import Weather, WeatherSettings
from simulators.world.wind import Wind, WindSettings


@dataclass(frozen=True)
class SeaSettings:
    """Tide, wind and weather of one estuary."""

    tide: TideSettings
    wind: WindSettings
    weather: WeatherSettings


class Sea:
    """Tide, wind and weather, drawn from one seed."""

    def __init__(self, settings: SeaSettings, seed: int, lon: float) -> None:
        self.tide = Tide(settings.tide)
        self.wind = Wind(settings.wind, random.Random(f"{seed}/wind"))
        self.weather = Weather(settings.weather, random.Random(f"{seed}/weather"), lon)
