"""What a board's pins see of the world: the board file's ratios, turned round."""

from agent.hal.boards import virtual

_HIGHEST_MV = 3300.0  # the supply; a pin sees no more


def analogue(channel: str, value: float) -> tuple[str, float]:
    """Return pin and millivolts for a channel's `value` in its own unit (mV, mA or 0.1 °C)."""
    pin, numerator, denominator, offset = virtual.ADCS[channel]
    millivolts = (value - offset) * denominator / numerator
    return str(pin), round(min(_HIGHEST_MV, max(0.0, millivolts)), 1)


def output(pin: int) -> tuple[str, int] | None:
    """Return name and active level of what the board controls with a pin, if it does."""
    for name, (number, active) in virtual.OUTPUTS.items():
        if number == pin:
            return name, active
    return None


def digital(name: str, *, active: bool) -> tuple[str, int]:
    """Return pin and level for an input that is active or not."""
    pin, active_level = virtual.DIGITALS[name]
    return str(pin), active_level if active else 1 - active_level
