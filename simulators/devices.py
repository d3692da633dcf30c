"""The simulated devices' surroundings: sensors and pins of one board, on their cables."""

import asyncio
import contextlib
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from simulators.lines import UART, Cable, Inputs, TalkerLine
from simulators.meter_line import MeterLine
from simulators.plan import PilePlan
from simulators.sensors import ais, gnss, weather
from simulators.sensors.ais_unit import AidUnit
from simulators.sensors.meters import PERMIT, TRIP, DLT645Meter, Meter, ModbusMeter
from simulators.sensors.motion import Hull, acceleration
from simulators.sensors.pins import analogue, digital, output
from simulators.trace import LampTrace
from simulators.world.aid import Aid
from simulators.world.piles import Pile

_FEEL_S = 0.1  # between two samples of the hull's motion; a hull is slow


class Surroundings(ABC):
    """What one board is connected to.

    Attributes:
        id: the device's id.
        uarts: its UARTs, a sensor or a meter at each, by the board file's names.
        inputs: its pins.
    """

    def __init__(self, device: str) -> None:
        self.id = device
        self.uarts: dict[str, UART] = {}
        self.inputs = Inputs(self.driven)

    async def open(self, ports: Mapping[str, int]) -> None:
        """Listen on all cables, on the `ports` given by device and line, else on free ones.

        Raises:
            OSError: a port is taken; its `filename` names the line.
        """
        cables: dict[str, Cable] = {**self.uarts, "inputs": self.inputs}
        for line, cable in cables.items():
            name = f"{self.id}.{line}"
            try:
                await cable.open(ports.get(name, 0))
            except OSError as error:
                raise OSError(error.errno, error.strerror, name) from error

    async def close(self) -> None:
        """Close all cables."""
        for cable in (*self.uarts.values(), self.inputs):
            await cable.close()

    def addresses(self) -> dict[str, object]:
        """Return where the cables are, as the address book has it."""
        uarts = {name: uart.address for name, uart in self.uarts.items()}
        return {"uarts": uarts, "inputs": self.inputs.address}

    def driven(self, pin: int, level: int | None) -> None:  # noqa: B027  (most boards drive nothing)
        """Feel that the board drives a pin to a level, or lets go of it (None)."""

    def moment(self, t: float) -> None:  # noqa: B027  (only lanterns change that fast)
        """Let the fast sensors see the time `t`."""

    @abstractmethod
    def second(self, t: int) -> None:
        """Let the slow sensors see the whole second `t`."""


class AISLine(TalkerLine):
    """The line of an AIS receiver, with a unit at its end that transmits what the board writes."""

    def __init__(self, unit: AidUnit | None) -> None:
        super().__init__(ais.BAUD)
        self._unit = unit

    async def listen(self, reader: asyncio.StreamReader) -> None:
        """Give the unit the board's lines, and the board its answers."""
        # A line without an end is none; the board has to connect anew.
        with contextlib.suppress(ValueError):
            while line := await reader.readline():
                if self._unit is not None and line.strip():
                    answer = self._unit.take(line.decode("ascii", "replace"))
                    if answer is not None:
                        self.send([answer])


class Beacon(Surroundings):
    """A navaid's board, with its receivers, lantern, power and contacts.

    There is a photocell beside the lantern's own, and on some aids a weather station. Its outputs ask
    the lantern: `lantern` to stay dark, `lamp_test` to show its light by day.

    Args:
        device: its id.
        aid: the aid it serves.
        rng: where its sensors' chance comes from.
        trace: where its light is written down, if it is.
        unit: the aid's AIS unit, if there is one.
    """

    def __init__(
        self,
        device: str,
        aid: Aid,
        rng: random.Random,
        trace: LampTrace | None = None,
        unit: AidUnit | None = None,
    ) -> None:
        super().__init__(device)
        self.aid = aid
        self._trace = trace
        self._rng = rng
        self._receiver = gnss.Receiver(rng)
        self._gnss = TalkerLine(gnss.BAUD, self._receiver.power_up)
        self._hull = Hull(rng) if aid.mooring else None
        self._felt_s = 0.0
        self._ais = AISLine(unit)
        self.uarts = {"gnss": self._gnss, "ais": self._ais}
        self._station: weather.WeatherStation | None = None
        if aid.weather_station:
            self._station = weather.WeatherStation(rng, aid.sea)
            self._weather = TalkerLine(weather.BAUD)
            self.uarts["weather"] = self._weather

    def second(self, t: int) -> None:
        """Send the epoch's sentences and what the pins see."""
        aid = self.aid
        self._gnss.send(self._receiver.epoch(t, aid.antenna(t), aid.velocity, aid.height_m))
        if self._station is not None:
            self._weather.send(self._station.second(t))
        for channel, value in aid.readings().items():
            self.inputs.put("adc", *analogue(channel, value))
        self.inputs.put("pin", *digital("hatch", active=aid.hatch_open))
        self.inputs.put("pin", *digital("water", active=aid.water_inside))

    def moment(self, t: float) -> None:
        """Let the lantern's current be seen."""
        if self._trace is not None and self.aid.lamp is not None:
            self._trace.see(self.id, self.aid.lamp, t)
        self.inputs.put("adc", *analogue("lamp_ma", self.aid.lamp_ma(t)))
        if abs(t - self._felt_s) >= _FEEL_S:
            self._felt_s = t
            self.inputs.feel(self._acceleration(t))
        self.inputs.tell()

    def _acceleration(self, t: float) -> tuple[int, int, int]:
        return self._hull.feels(t, self.aid.wind_mps) if self._hull else acceleration(0.0)

    def blow(self, peak_mg: float, lasts_ms: float) -> None:
        """Let the accelerometer feel a blow from the side."""
        x, y, z = self._acceleration(self._felt_s)
        self.inputs.strike((x + round(0.8 * peak_mg), y + round(0.6 * peak_mg), z), lasts_ms)

    def lay_over(self, degrees: float) -> None:
        """Let something hold the hull so far over; 0: let go of it."""
        if self._hull is not None:
            self._hull.capsized_deg = degrees

    def driven(self, pin: int, level: int | None) -> None:
        """Let the lantern see its control lines."""
        name, active = output(pin) or ("", 1)
        lamp = self.aid.lamp
        if lamp is not None and name == "lantern":
            lamp.asked_off = level == active
        elif lamp is not None and name == "lamp_test":
            lamp.asked_test = level == active

    def hear(self, transmission: ais.Transmission) -> None:
        """Pass on an AIS transmission if it comes through."""
        if ais.hears(self._rng, self.aid.place.miles_to(transmission.place)):
            self._ais.send(transmission.sentences)


class ShorePower(Surroundings):
    """A pile's board: a meter, contacts, residual current and the plug's temperature.

    Args:
        device: its id.
        pile: what it serves.
        plan: which meter it has.
        air_c: the temperature of the air at a time, degrees Celsius.
    """

    def __init__(
        self, device: str, pile: Pile, plan: PilePlan, air_c: Callable[[float], float]
    ) -> None:
        super().__init__(device)
        self.pile = pile
        self._air_c = air_c
        self._meter: Meter
        if plan.protocol == "dlt645":
            self._meter = DLT645Meter(plan.address, obey=self._obey)
        else:
            self._meter = ModbusMeter(int(plan.address), plan.protocol)
        self.uarts = {"rs485": MeterLine(self._meter)}

    async def open(self, ports: Mapping[str, int]) -> None:
        """Listen, then start the meter on a port of its own."""
        await super().open(ports)
        try:
            await self._meter.start()
        except OSError as error:
            name = f"{self.id}'s meter"
            raise OSError(error.errno, error.strerror or str(error), name) from error

    async def close(self) -> None:
        """Unplug everything, then stop the meter."""
        await super().close()
        await self._meter.stop()

    def _obey(self, order: int) -> bool:
        """Have the relay do what the meter was ordered."""
        if order == TRIP:
            self.pile.trip()
        elif order == PERMIT:
            self.pile.permit()
        else:
            return False
        self._meter.set(self.pile.quantities())  # the next question comes within milliseconds
        return True

    def second(self, t: int) -> None:
        """Let meter, sensors and contacts show what the pile does."""
        self._meter.set(self.pile.quantities())
        self.inputs.put("pin", *digital("plug", active=self.pile.plugged))
        self.inputs.put("pin", *digital("breaker", active=self.pile.closed))
        self.inputs.put("pin", *digital("loop", active=self.pile.loop_closed))
        self.inputs.put("adc", *analogue("residual_ma", self.pile.residual_ma))
        self.inputs.put("adc", *analogue("plug_dc", 10 * self.pile.plug_c(self._air_c(t))))
        self.inputs.tell()
