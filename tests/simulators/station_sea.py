"""A buoy at sea for the station filter: mooring, waves and receiver, as fast as one can simulate."""

import cmath
import math
import random

from agent.alarms import Alarms
from agent.sense.station import Station
from simulators.world.fixes import FixErrors, FixSettings
from simulators.world.mooring import Mooring, MooringSettings
from simulators.world.noise import BandNoise
from simulators.world.place import MPS_PER_KNOT, Place, bearing_deg, towards
from simulators.world.tide import Tide, TideSettings
from simulators.world.waves import Waves
from simulators.world.wind import Storm, Wind, WindSettings

START = 1_767_225_600  # 2026-01-01T00:00:00Z
DAY = 86_400
SINKER = Place(31.1010, 122.2010)
_MAST_M = 4.0  # the antenna over the point about which the hull rolls
_SEA_S = 30  # the mooring's step; in between, a straight line
_VIEW = (16, 26)  # satellites over the horizon
_GOOD_DOP = 4.0


class Receiver:
    """What the filter reads: the attributes of agent.sense.gnss.GNSS that it uses."""

    def __init__(self):
        self.lat_e6 = self.lon_e6 = self.fix_ms = None
        self.quality = self.sats = self.hdop_e2 = None
        self.sog_e2 = self.cog_cd = None


class Tidal:
    """Tide and wind of the estuary, with a storm every few days."""

    def __init__(self, seed, wind=None, tide=None):
        rng = random.Random(f"{seed}/wind")
        self._tide = Tide(tide or TideSettings())
        self.wind = Wind(wind or WindSettings(mean_mps=7, spread_mps=2.5), rng)
        t = float(START)
        while t < START + 400 * DAY:
            t += rng.expovariate(1 / (8 * DAY))
            storm = Storm(t, rng.uniform(12, 60) * 3600, rng.uniform(5, 25))
            self.wind.storms.append(storm)
            t += storm.lasts_s

    def at(self, t):
        """Return level (m), stream and wind."""
        storms = self.wind.storms
        while storms and storms[0].begins + storms[0].lasts_s < t:
            storms.pop(0)
        return self._tide.level_m(t), self._tide.stream(t), self.wind.at(t)


class River:
    """A river: one way, a slow meander of its stream, a flood that comes and goes.

    `flood_m` high, from `begins` (seconds after START) on; `rises_s` up and as long down.
    """

    def __init__(self, seed, *, flood_m=12.0, begins=7 * DAY, rises_s=10 * DAY, axis_deg=75.0):
        rng = random.Random(f"{seed}/river")
        self.wind = Wind(WindSettings(mean_mps=4, spread_mps=1.5), random.Random(f"{seed}/wind"))
        self._axis = towards(axis_deg)
        self._turn = BandNoise(rng, shortest_s=120, longest_s=2 * DAY, rms=4.0)
        self._pulse = BandNoise(rng, shortest_s=60, longest_s=DAY, rms=0.12)
        self._flood = flood_m, START + begins, rises_s

    def level_m(self, t):
        flood_m, begins, rises_s = self._flood
        since = (t - begins) / rises_s
        share = (1 - math.cos(math.pi * since)) / 2 if 0 < since < 2 else 0.0
        return 1.0 + flood_m * share

    def at(self, t):
        level = self.level_m(t)
        speed = (0.9 + 0.12 * (level - 1)) * (1 + self._pulse.at(t))
        turn = cmath.exp(1j * math.radians(self._turn.at(t)))
        return level, speed * self._axis * turn, self.wind.at(t)


class Voyage:
    """A buoy at sea, and a filter that looks at it.

    Args:
        seed: of everything.
        sea: Tidal or River.
        mooring: settings of the buoy.
        settings: of the receiver's errors.
        every_s: how often there is a fix.

    `told` are the alarms: (seconds since START, metres from the sinker, values); `poor_s` is how long
    there was no fix with an HDOP of 4 or less, which no filter should be asked to judge by.
    """

    def __init__(self, seed, sea, mooring=None, settings=None, every_s=10):
        self.t = START
        self.sea = sea
        self.gnss = Receiver()
        self.alarms = Alarms()
        self._settings = mooring or MooringSettings()
        self.mooring = Mooring(self._settings)
        self.level_m = 0.0
        self.told = []
        self.station = None
        self.every_s = every_s
        self.fixes = 0
        self.poor_s = 0
        self.quiet_s = 0
        self._rng = random.Random(f"{seed}/sky")
        self._errors = FixErrors(random.Random(f"{seed}/fixes"), settings or FixSettings())
        self._waves = Waves(random.Random(f"{seed}/waves"))
        self._wind_mps = 0.0
        self._view = 20
        for _ in range(40):  # until it hangs in its chain
            self._step()

    @property
    def now_ms(self):
        return 1000 * (self.t - START) + 1000

    def day(self, now_ms):
        """Return the UTC day number."""
        return (START + now_ms // 1000) // DAY

    def level_cm(self):
        """Return the water level, cm."""
        return round(100 * self.level_m)

    def watch(self, *, level=True, **more):
        """Have the filter look at it: the station as commissioned."""
        settings = self._settings
        self.station = Station(
            self.gnss,
            self.alarms,
            (round(SINKER.lat * 1e6), round(SINKER.lon * 1e6)),
            round(10 * settings.chain_m),
            round(100 * settings.depth_m),
            20,
            self.level_cm if level else lambda: None,
            self.day,
            **more,
        )
        return self

    def _step(self):
        self._from = self.mooring.offset
        self.level_m, stream, wind = self.sea.at(self.t)
        self._wind_mps = abs(wind)
        self.mooring.step(_SEA_S, self.level_m, stream, wind)
        self._view = min(_VIEW[1], max(_VIEW[0], self._view + self._rng.choice((-1, 0, 0, 1))))

    def run(self, seconds, until=None):
        """Live on for so long, or until `until()` is true; return whether it was."""
        end = self.t + seconds
        gnss, every_s = self.gnss, self.every_s
        while self.t < end:
            self.t += every_s
            phase = (self.t - START) % _SEA_S
            if phase < every_s:
                self._step()
            share = min(1.0, (phase + every_s) / _SEA_S)
            offset = self._from + (self.mooring.offset - self._from) * share
            look = self._errors.look(self.t, self._view)
            if look.error is not None:
                heel = self._waves.at(self.t, self._wind_mps).heel
                place = SINKER.moved(offset + _MAST_M * heel + look.error)
                gnss.lat_e6, gnss.lon_e6 = round(place.lat * 1e6), round(place.lon * 1e6)
                gnss.fix_ms = self.now_ms
                gnss.quality = 1
                noise = complex(self._rng.gauss(0, 0.08), self._rng.gauss(0, 0.08))
                velocity = self.mooring.velocity + noise * look.hdop
                gnss.sog_e2 = round(100 * abs(velocity) / MPS_PER_KNOT)
                gnss.cog_cd = round(100 * bearing_deg(velocity)) % 36000
                self.fixes += 1
            else:
                gnss.quality = 0
                gnss.lat_e6 = gnss.lon_e6 = gnss.sog_e2 = gnss.cog_cd = None
            if look.error is None or look.hdop > _GOOD_DOP:
                self.poor_s += every_s
            gnss.sats, gnss.hdop_e2 = look.sats, round(100 * look.hdop)
            self.station.poll(self.now_ms)
            while (values := self.alarms.next_alarm()) is not None:
                self.told.append((self.t - START, round(abs(self.mooring.offset), 1), values))
            if until is not None and until():
                return True
        return False
