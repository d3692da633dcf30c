"""What all simulated electricity meters have in common: quantities to show, a port to serve on."""

from abc import ABC, abstractmethod
from math import sqrt

LOOPBACK = "127.0.0.1"
PHASES = ("a", "b", "c")

# What a meter can be told to show: phase voltages and currents, total and phase active power (positive:
# import), reactive and apparent power, power factor, frequency, total distortion of the voltages,
# energy registers with import by tariff (1 sharp, 2 peak, 3 flat, 4 valley), relay (1 closed, 0 open).
QUANTITIES = (
    *(f"u_{phase}_v" for phase in PHASES),
    *(f"i_{phase}_a" for phase in PHASES),
    "p_kw",
    *(f"p_{phase}_kw" for phase in PHASES),
    "q_kvar",
    "s_kva",
    "pf",
    "f_hz",
    *(f"thd_u_{phase}_pc" for phase in PHASES),
    "import_kwh",
    *(f"import_t{tariff}_kwh" for tariff in (1, 2, 3, 4)),
    "export_kwh",
    "relay_closed",
)
_THD_PC = 1.8


class Meter(ABC):
    """A meter that shows what it is told, by the names of `QUANTITIES`.

    All are optional. Phase powers, reactive and apparent power and the flat tariff's register follow
    from the others unless they are told, distortion is 1.8 %.

    Attributes:
        port: Where it listens, once it has started.
        baud: The rate of its RS-485 line as it leaves the factory.
        bits: How many of them a byte takes there: start, data, parity and stop.
    """

    port: int
    baud: int
    bits: int

    def __init__(self) -> None:
        self._told: dict[str, float] = {"relay_closed": 1}

    def set(self, quantities: dict[str, float]) -> None:
        """Show these values from now on; the others stay as they are.

        Raises:
            ValueError: a name is not a quantity's, or the meter cannot show the value.
        """
        for name in quantities:
            if name not in QUANTITIES:
                raise ValueError(f"{name!r} is none of {', '.join(QUANTITIES)}")
        told = {**self._told, **quantities}
        self._show(_completed(told))
        self._told = told

    @abstractmethod
    async def start(self) -> None:
        """Serve; on the same port again after `stop`.

        Raises:
            OSError: the port is taken.
        """

    @abstractmethod
    async def stop(self) -> None:
        """Close the port and its connections."""

    @abstractmethod
    def _show(self, quantities: dict[str, float]) -> None:
        """Take over all quantities at once, or raise ValueError."""


def _completed(told: dict[str, float]) -> dict[str, float]:
    """Return all quantities: those told, and what follows from them."""
    shown = dict.fromkeys(QUANTITIES, 0.0) | told
    apparent = {p: abs(shown[f"u_{p}_v"] * shown[f"i_{p}_a"]) / 1000 for p in PHASES}
    total = sum(apparent.values())
    follows = {"s_kva": max(total, abs(shown["p_kw"]))}
    follows["q_kvar"] = sqrt(follows["s_kva"] ** 2 - shown["p_kw"] ** 2)
    for phase in PHASES:
        share = apparent[phase] / total if total else 0.0
        follows[f"p_{phase}_kw"] = shown["p_kw"] * share
        follows[f"thd_u_{phase}_pc"] = _THD_PC
    others = sum(shown[f"import_t{tariff}_kwh"] for tariff in (1, 2, 4))
    follows["import_t3_kwh"] = max(0.0, shown["import_kwh"] - others)
    return shown | follows | told
