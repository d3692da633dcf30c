"""The estuary: sea, ships and sensors in real time, each simulated line on a TCP port.

    estuary = Estuary(registry.read(…), plan.read(…), registers)
    await estuary.open()
    await estuary.run(stop)
    await estuary.close()

The world is built from what the registry says for the moment of the start: which aid stands where,
and which device serves it. A beacon that serves nothing lies in the depot.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterator

from simulators.control import Control
from simulators.devices import Beacon, ShorePower, Surroundings
from simulators.plan import Plan
from simulators.registers import Registers
from simulators.registry import Device, Registry
from simulators.scenarios import Scenario, Scenarios
from simulators.sensors.ais import BaseStation, Channels, ShipStation
from simulators.sensors.ais_unit import AidUnit
from simulators.trace import LampTrace
from simulators.world.aid import Aid
from simulators.world.piles import Pile
from simulators.world.place import towards
from simulators.world.sea import Sea
from simulators.world.traffic import Alongside, Anchorage, Passage, Ship, Shipyard
from toolkit.settings import SettingsError

_log = logging.getLogger(__name__)

_TICK_S = 0.025  # the lanterns' 40 Hz
_AIS_EVERY = 10  # ticks
AID_MMSI = 994_131_000  # 99 MID 1xxx: an aid that is really there; the registry's first is 1


class Estuary:
    """Everything that is simulated, and the ports that boards connect to.

    Args:
        registry: what stands where.
        plan: the estuary's settings.
        registers: what the meters remember.
        clock: Unix time.
        trace: where the lanterns' doings are written, if they are.

    Raises:
        SettingsError: registry and plan do not fit together; all that does not.
    """

    def __init__(
        self,
        registry: Registry,
        plan: Plan,
        registers: Registers,
        clock: Callable[[], float] = time.time,
        trace: LampTrace | None = None,
    ) -> None:
        self._plan = plan
        self._trace = trace
        self._registers = registers
        self._clock = clock
        self._ticks = 0
        self._second = int(clock())
        self._sea = Sea(plan.sea, plan.seed, plan.depot.lon)
        self._channels = Channels()
        self._shipyard = Shipyard(self._rng("shipyard"))
        self.aids: dict[str, Aid] = {}
        self._spares: list[Aid] = []
        self.devices: dict[str, Surroundings] = {}
        self._piles: dict[str, Pile] = {}
        self._sites: dict[str, Pile] = {}
        self._units: dict[str, AidUnit] = {}
        self._alongside: dict[str, tuple[Ship, ShipStation]] = {}
        self._berths: dict[str, Alongside] = {}
        if misfits := list(self._misfits(registry)):
            raise SettingsError(misfits)
        self._build_aids(registry)
        for device in registry.devices.values():
            self._build_device(device, registry)
        self._build_traffic()
        self._scenarios = Scenarios(
            self._sea, self.aids, self._sites, plan.scenarios, self._second,
            silence=self._silence, blow=self._blow, lay_over=self._lay_over,
        )  # fmt: skip
        if misfits := [
            f"{plan.file}: scenario[{n}] {one.what}: {why}"
            for n, one in enumerate(plan.scenarios)
            if (why := self._scenarios.misfit(one))
        ]:
            raise SettingsError(misfits)
        self._control = Control(self.devices, self.happen)

    async def open(self) -> None:
        """Listen on all ports.

        Raises:
            OSError: a port is taken; its `filename` names the line.
        """
        try:
            await self._control.open(self._plan.ports.get("control", 0))
        except OSError as error:
            raise OSError(error.errno, error.strerror, "control") from error
        for device in self.devices.values():
            await device.open(self._plan.ports)

    async def run(self, stop: asyncio.Event) -> None:
        """Live until `stop` is set."""
        while not stop.is_set():
            now = self._clock()
            self.tick(now)
            await asyncio.sleep(_TICK_S - now % _TICK_S)

    async def close(self) -> None:
        """Close all ports."""
        await self._control.close()
        for device in self.devices.values():
            await device.close()
        if self._trace is not None:
            self._trace.close()

    def address_book(self) -> dict[str, object]:
        """Return where everything listens."""
        return {
            "devices": {device.id: device.addresses() for device in self.devices.values()},
            "control": self._control.address,
        }

    def happen(self, one: Scenario) -> str:
        """Let a scenario begin now; return why it cannot, "" if it has."""
        why = self._scenarios.misfit(one)
        if not why:
            self._scenarios.happen(one, self._clock())
        return why

    def tick(self, now: float) -> None:
        """Let the world be at the time `now`."""
        self._ticks += 1
        if int(now) != self._second:
            self._second = int(now)
            self._live(self._second)
        for device in self.devices.values():
            device.moment(now)
        if self._ticks % _AIS_EVERY == 0:
            beacons = self._beacons()
            for transmission in self._channels.transmit(now):
                for beacon in beacons:
                    beacon.hear(transmission)

    def _live(self, second: int) -> None:
        self._scenarios.tick(second)
        for aid in (*self.aids.values(), *self._spares):
            aid.advance(second)
        for pile in self._piles.values():
            pile.advance(second)
        self._registers.keep({name: pile.import_watt_ms for name, pile in self._piles.items()})
        for device in self.devices.values():
            device.second(second)
        self._berth()

    def _berth(self) -> None:
        """Let the ships alongside transmit, and those that have left no more."""
        for name, pile in self._piles.items():
            ship, station = pile.ship, self._alongside.get(name)
            if station is not None and station[0] is not ship:
                self._channels.stations.remove(self._alongside.pop(name)[1])
                station = None
            if ship is not None and station is None:
                transponder = ShipStation(ship, self._berths[name], self._rng(ship.name))
                self._alongside[name] = ship, transponder
                self._channels.stations.append(transponder)

    def _silence(self, navaid: str, silent: bool) -> None:
        self._units[navaid].silent = silent

    def _blow(self, navaid: str, peak_mg: float, lasts_ms: float) -> None:
        for beacon in self._beacons(self.aids[navaid]):
            beacon.blow(peak_mg, lasts_ms)

    def _lay_over(self, navaid: str, degrees: float) -> None:
        for beacon in self._beacons(self.aids[navaid]):
            beacon.lay_over(degrees)

    def _beacons(self, aid: Aid | None = None) -> list[Beacon]:
        beacons = [one for one in self.devices.values() if isinstance(one, Beacon)]
        return [one for one in beacons if aid is None or one.aid is aid]

    def _misfits(self, registry: Registry) -> Iterator[str]:
        """Yield what the plan lacks for this registry, now."""
        highest_m = self._sea.tide.highest_m
        for navaid in registry.navaids.values():
            mooring = self._plan.aid(navaid.id).mooring
            least_m = mooring.depth_m + highest_m
            moored = navaid.floating and navaid.station_at(self._second)
            if moored and mooring.chain_m <= least_m:
                yield (
                    f"{self._plan.file}: chain_m of {navaid.id} is {mooring.chain_m:g}; allowed: "
                    f"more than depth_m and the highest tide, {least_m:.1f}"
                )
        for device in registry.devices.values():
            metered = device.asset_at(self._second) in registry.piles
            if device.profile == "shorepower" and metered and device.id not in self._plan.piles:
                yield f"{self._plan.file}: there is no [[pile]] for {device.id}"

    def _build_aids(self, registry: Registry) -> None:
        for number, navaid in enumerate(registry.navaids.values(), start=1):
            station = navaid.station_at(self._second)
            if station is None:
                continue
            settings = self._plan.aid(navaid.id)
            rng = self._rng(navaid.id)
            aid = Aid(
                self._sea, station.place, settings, rng, self._second,
                floating=navaid.floating, phases=station.phases,
            )  # fmt: skip
            self.aids[navaid.id] = aid
            unit = AidUnit(
                AID_MMSI + number, navaid.name, navaid.kind, aid, rng, floating=navaid.floating
            )
            self._units[navaid.id] = unit
            self._channels.stations.append(unit)

    def _build_device(self, device: Device, registry: Registry) -> None:
        asset = device.asset_at(self._second)
        rng = self._rng(device.id)
        if device.profile == "beacon":
            aid = self.aids.get(asset or "")
            if aid is None:
                aid = self._spare(rng)
                self._spares.append(aid)
            unit = self._units.get(asset or "")
            self.devices[device.id] = Beacon(device.id, aid, rng, self._trace, unit)
        elif asset in registry.piles:
            plan = self._plan.piles[device.id]
            site = registry.piles[asset]
            register = self._registers.first(device.id, rng)
            pile = Pile(
                plan.calls, 1000 * site.rated_kw, self._shipyard, rng, self._second, register
            )
            self._piles[device.id] = self._sites[site.id] = pile
            self._berths[device.id] = Alongside(site.place, plan.heading_deg)
            self.devices[device.id] = ShorePower(device.id, pile, plan, self._sea.weather.air_c)
        else:
            _log.info("%s serves no pile now: it has no meter here", device.id)

    def _spare(self, rng: random.Random) -> Aid:
        return Aid(
            self._sea, self._plan.depot, self._plan.any_aid, rng, self._second,
            floating=False, phases=(),
        )  # fmt: skip

    def _build_traffic(self) -> None:
        rng, sea = self._rng("traffic"), self._sea
        stations = self._channels.stations
        for route in self._plan.routes:
            for class_b in [False] * route.ships + [True] * route.fishing:
                passage = Passage(route.waypoints, rng.uniform(*route.speed_kn), rng)
                stations.append(ShipStation(self._shipyard.ship(class_b=class_b), passage, rng))
        for anchorage in self._plan.anchorages:
            for _ in range(anchorage.ships):
                aside = rng.uniform(0, anchorage.radius_m) * towards(rng.uniform(0, 360))
                lying = Anchorage(anchorage.place.moved(aside), sea.tide, rng)
                stations.append(ShipStation(self._shipyard.ship(), lying, rng))
        stations += [BaseStation(base.mmsi, base.place, rng) for base in self._plan.bases]

    def _rng(self, name: str) -> random.Random:
        return random.Random(f"{self._plan.seed}/{name}")
