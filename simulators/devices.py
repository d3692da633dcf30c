"""The simulated devices' surroundings: sensors and pins of one board, on their cables."""

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping

from simulators.lines import UART, Cable, Inputs, TalkerLine
from simulators.meter_line import MeterLine
from simulators.plan import PilePlan
from simulators.sensors import ais, gnss
from simulators.sensors.meters import PERMIT, TRIP, DLT645Meter, Meter, SDM630Meter
from simulators.sensors.pins import analogue, digital, output
from simulators.trace import LampTrace
from simulators.world.aid import Aid
from simulators.world.piles import Pile


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


class Beacon(Surroundings):
    """A navaid's board: satellite and AIS receivers, lantern, battery, panel, thermometer.

    Its outputs ask the lantern: `lantern` to stay dark, `lamp_test` to show its light by day.
    """

    def __init__(
        self, device: str, aid: Aid, rng: random.Random, trace: LampTrace | None = None
    ) -> None:
        super().__init__(device)
        self.aid = aid
        self._trace = trace
        self._rng = rng
        self._receiver = gnss.Receiver(rng)
        self._gnss = TalkerLine(gnss.BAUD, self._receiver.power_up)
        self._ais = TalkerLine(ais.BAUD)
        self.uarts = {"gnss": self._gnss, "ais": self._ais}

    def second(self, t: int) -> None:
        """Send the epoch's sentences and what the pins see."""
        aid = self.aid
        self._gnss.send(self._receiver.epoch(t, aid.place, aid.velocity, aid.height_m))
        for channel, value in aid.readings().items():
            self.inputs.put("adc", *analogue(channel, value))

    def moment(self, t: float) -> None:
        """Let the lantern's current be seen."""
        if self._trace is not None and self.aid.lamp is not None:
            self._trace.see(self.id, self.aid.lamp, t)
        self.inputs.put("adc", *analogue("lamp_ma", self.aid.lamp_ma(t)))
        self.inputs.tell()

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
    """A pile's board: a meter, and the contacts of plug and breaker."""

    def __init__(self, device: str, pile: Pile, plan: PilePlan) -> None:
        super().__init__(device)
        self.pile = pile
        self._meter: Meter
        if plan.protocol == "dlt645":
            self._meter = DLT645Meter(plan.address, obey=self._obey)
        else:
            self._meter = SDM630Meter(int(plan.address))
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

    def second(self, t: int) -> None:  # noqa: ARG002  (the pile has lived on already)
        """Let meter and contacts show what the pile does."""
        self._meter.set(self.pile.quantities())
        self.inputs.put("pin", *digital("plug", active=self.pile.plugged))
        self.inputs.put("pin", *digital("breaker", active=self.pile.closed))
        self.inputs.tell()
