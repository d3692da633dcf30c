"""What a meter is asked, step by step: both protocols behind one interface for the reader.

master              finds the answer to the present request
steps               numbers of requests that a full reading may have; not all of them are asked
meter_id            the meter's own number in ASCII, None until it is known
modulus, floats     its energy registers begin anew at so many counts or None; whether they are floats
weak                a damaged frame may pass for a good one
wanted(…)           whether a step is asked in this reading
characters(step)    longest request and answer together, for the time they take
request(step)       bytes to send
take(…)             store the answer; OVER, MORE, AGAIN or LATER
refused(…)          the meter refused, or is mute about, that step only; OVER or MORE
lost()              the meter does not answer
switches()          whether the meter's relay can be switched now
switch(permit)      an order to it
set_time(parts)     a telegram with the time, or None
status              the step that tells how the relay stands
"""

import binascii

from agent.compat import const

# What becomes of a step.
OVER = const(0)
MORE = const(1)  # it goes on with its next request
AGAIN = const(2)  # a second answer has to confirm the first
LATER = const(3)  # the same, after the time in which another meter could answer too

_RATIO_MAX = const(65535)  # `pt` and `ct` of `energy-count`
_ENERGY_EVERY_MAX = const(1000)
_RETRIES_MAX = const(3)
_TIMEOUT_MAX_MS = const(5000)  # ten times what DL/T 645 allows: lines bridged over a radio

PROTOCOLS = ("adw300", "dlt645", "dtsd1352", "dtsu666", "sdm630")


def questions_for(protocol, address, unit, wakeups, password, operator):
    """Return the questions of a meter; raise ValueError for a setting that is not allowed.

    Only that protocol and that map are imported.
    """
    if protocol == "dlt645":
        from agent.meter.dlt645 import WAKEUPS_MAX
        from agent.meter.questions_dlt645 import DLT645Questions

        check("wakeups", wakeups, 0, WAKEUPS_MAX)
        # The level goes first and the password as it is written; the operator lowest pair first.
        password = password and _eight("password", password)
        operator = _eight("operator", operator)
        return DLT645Questions(
            address, wakeups, password, bytes([operator[3 - i] for i in range(4)])
        )
    if protocol not in PROTOCOLS:
        raise ValueError("protocol: %r is none of %s" % (protocol, ", ".join(PROTOCOLS)))
    from agent.meter.modbus import UNIT_MAX
    from agent.meter.questions_modbus import ModbusQuestions

    check("unit", unit, 1, UNIT_MAX)
    return ModbusQuestions(_map(protocol), unit)


def _map(protocol):
    if protocol == "sdm630":
        from agent.meter.maps import sdm630

        return sdm630
    if protocol == "dtsd1352":
        from agent.meter.maps import dtsd1352

        return dtsd1352
    if protocol == "adw300":
        from agent.meter.maps import adw300

        return adw300
    from agent.meter.maps import dtsu666

    return dtsu666


def _eight(key, digits):
    if len(digits) != 8 or not all(c in "0123456789" for c in digits):
        raise ValueError("%s: not eight digits" % key)
    return binascii.unhexlify(digits)


def check_settings(pt, ct, energy_every, retries, timeout_ms):
    """Raise ValueError for a setting of any meter that is not allowed."""
    check("pt", pt, 1, _RATIO_MAX)
    check("ct", ct, 1, _RATIO_MAX)
    check("energy_every", energy_every, 1, _ENERGY_EVERY_MAX)
    check("retries", retries, 0, _RETRIES_MAX)
    check("timeout_ms", timeout_ms, 20, _TIMEOUT_MAX_MS)


def check(key, value, low, high):
    """Raise ValueError, with what is allowed, unless `value` is a whole number within the limits."""
    if not isinstance(value, int) or not low <= value <= high:
        raise ValueError("%s: %r is not a whole number from %d to %d" % (key, value, low, high))
