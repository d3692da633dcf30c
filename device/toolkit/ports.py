"""Which serial port a board is at: the one named, the one with a USB serial number, or the only one.

    port = choose(listed(), named=None, serial="7CDFA1E2B3C4")
    port.device                       "/dev/ttyACM0"
    again(port, listed()).device      where the same board is after a reset

Never "the first of several": a quay has more than one board, and the wrong one would lose its software.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

_BY_NAME_ONLY: Final = ("socket://", "rfc2217://")  # pyserial's ports over a network


class Port(NamedTuple):
    """A serial port. `serial` is the USB serial number, empty where there is none."""

    device: str
    description: str = ""
    serial: str = ""


class PortError(Exception):
    """No port was chosen: `cause` in one line, `action` says what to type."""

    def __init__(self, cause: str, action: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.action = action


def listed() -> list[Port]:
    """Return the USB serial ports of this computer, sorted by name.

    Others (a PC's own COM ports, Bluetooth) are no boards; who has one there names it.
    """
    from serial.tools.list_ports import comports

    return [
        Port(info.device, info.description or "", info.serial_number or "")
        for info in sorted(comports())
        if info.vid is not None
    ]


def choose(found: Sequence[Port], *, named: str | None = None, serial: str | None = None) -> Port:
    """Return the port to use.

    Args:
        found: the ports there are.
        named: the port a person named; it need not be in the list.
        serial: the USB serial number a person gave; must be one port's.

    Raises:
        PortError: there is none, or more than one that could be meant.
    """
    if named is not None:
        if "://" in named and not named.startswith(_BY_NAME_ONLY):
            raise PortError(
                f"{named} is no port that can be used", f"allowed: {', '.join(_BY_NAME_ONLY)}"
            )
        known = [port for port in found if port.device == named]
        return known[0] if known else Port(named)
    if serial is not None:
        fitting = [port for port in found if port.serial.lower() == serial.lower()]
        if not fitting:
            raise PortError(f"no board has the USB serial number {serial}", _choices(found))
    else:
        fitting = list(found)
        if not fitting:
            raise PortError("there is no board at any USB port", _choices(found))
    if len(fitting) > 1:
        what = "ports" if serial is None else f"ports have the USB serial number {serial}"
        raise PortError(f"{len(fitting)} {what}, and it is not guessed which", _choices(fitting))
    return fitting[0]


def again(port: Port, found: Sequence[Port]) -> Port | None:
    """Return where a board is now: after a reset a USB board may come back under another name.

    None: another board is where it was.
    """
    if any(other.device == port.device and other.serial == port.serial for other in found):
        return port
    same = [other for other in found if port.serial and other.serial == port.serial]
    if len(same) == 1:
        return same[0]
    return None if any(other.device == port.device for other in found) else port


def _choices(found: Sequence[Port]) -> str:
    """Return what could be typed, a line each."""
    if not found:
        return "plug it in (with a cable for data), or name its port with --port"
    serials = [port.serial for port in found]
    width = max(len(_typed(port, serials)) for port in found)
    rows = [
        f"{_typed(port, serials):{width}}  {port.device}, {port.description or 'no description'},"
        f" serial number {port.serial or 'none'}"
        for port in found
    ]
    return "add one of these:\n" + "\n".join("    " + row for row in rows)


def _typed(port: Port, serials: Sequence[str]) -> str:
    """Return the words that choose a port and no other: its number stays when its name changes."""
    if port.serial and serials.count(port.serial) == 1:
        return f"--serial {port.serial}"
    return f"--port {port.device}"
