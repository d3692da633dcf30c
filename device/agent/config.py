"""What a device is told: its settings, and its access to the broker. JSON texts, each with its table.

    config, errors = load(text)             the text in the slots "settings" (keep/slots.py)
    config["report_s"]
    access, errors = load_access(text)      the text in the slots "access"
    access["host"], access["wifi"]["ssid"]

A setting that is wrong is replaced by its default, named in `errors` and counted in the birth record:
a bad setting never keeps a device silent. Whoever stages a text refuses it before that if there are
errors: the toolkit before it leaves the laptop, a command before it is written (`refusals`).
"""

import json

# key: (type, allowed, default). Allowed is (low, high) for a number, (shortest, longest) for a text, or
# the list of words. The comment is for people.
SETTINGS = {
    "profile": (str, ["beacon", "shorepower"], "beacon"),  # which parts the device has
    "board": (str, (1, 32), "virtual"),  # board file in agent/hal/boards
    "keepalive_s": (int, (10, 3600), 60),
    "report_s": (int, (1, 86400), 600),  # the every-report record
    "detail_s": (int, (1, 86400), 3600),  # gnss, rx and health records
    "outbox_ram_bytes": (int, (2048, 4194304), 8192),  # records in play
    "outbox_flash_bytes": (int, (0, 16777216), 262144),  # records that wait for their ack
    "gather_s": (int, (0, 3600), 60),  # what a power cut may cost
    "good_s": (int, (10, 3600), 300),  # of working steps, and a start is good
    "confirm_s": (int, (30, 86400), 600),  # for the gateway to answer what is on trial
    "watchdog_s": (int, (10, 3600), 120),
    "sleep": (str, ["no", "yes"], "no"),  # deep sleep between reports
    "battery.on_mv": (int, (0, 65535), 0),  # 0: no such limit
    "battery.low_mv": (int, (0, 65535), 0),
    "battery.off_mv": (int, (0, 65535), 0),
    "battery.last_mv": (int, (0, 65535), 0),
    "data.budget_mib": (int, (0, 65535), 0),  # a month on metered links; 0: no limit
    "ntp.a": (str, (0, 64), ""),
    "ntp.b": (str, (0, 64), ""),
    "beidou.card": (int, (0, 16777214), 0),  # the gateway's; 0: no short messages
    "beidou.after_s": (int, (60, 86400), 900),  # the main link is down so long: status goes
    "beidou.alarm_after_s": (int, (10, 86400), 60),
    "beidou.status_s": (int, (60, 86400), 3600),
    "gnss.baud": (int, (1200, 460800), 9600),
    "light.character": (str, (0, 128), ""),  # as charts write it, or a sequence "0.5+(1),0.5+(4)"
    "light.sync": (str, ["no", "yes"], "no"),  # its period begins in step with UTC
    "light.always": (str, ["no", "yes"], "no"),  # lit by day as well
    "light.sensor": (str, ["current", "contact"], "current"),  # what lamp_ma is wired to
    "light.on_lux": (int, (1, 10000), 100),  # below it a light should be lit
    "light.off_lux": (int, (2, 20000), 200),  # and above this it should not
    "light.delay_s": (int, (0, 600), 60),  # within which the lantern's own photocell follows
    "light.reduced_ma": (int, (0, 32767), 0),  # less while lit is a reduced range; 0: not judged
    "lamp.on_ma": (int, (1, 32767), 20),  # above this current the lamp is lit
    "lamp.dark_s": (int, (1, 120), 20),  # longer than the darkness of a light without a character
    "station.lat_e6": (int, (-90000000, 90000000), 0),  # where the sinker lies; 0, 0: not watched
    "station.lon_e6": (int, (-180000000, 180000000), 0),
    "station.chain_dm": (int, (0, 10000), 0),  # 0: it stands
    "station.depth_cm": (int, (0, 100000), 0),  # at level 0
    "station.error_dm": (int, (0, 1000), 50),  # of laying the sinker
    "station.delay_s": (int, (0, 86400), 600),
    "station.flow": (str, ["tidal", "river"], "tidal"),
    "station.hurry_s": (
        int,
        (5, 86400),
        60,
    ),  # between reports while it is, or may be, off station
    "battery.chemistry": (str, ["lead", "agm", "lifepo4", "li-ion", "primary"], "lead"),
    "battery.cells": (int, (1, 100), 6),
    "battery.capacity_ah": (int, (0, 4000), 0),  # 0: not known
    "battery.warn_days": (int, (1, 1000), 10),  # to empty
    "battery.alarm_days": (int, (1, 1000), 3),
    "motion.sensor": (str, ["none", "lis3dh"], "none"),
    "motion.up": (
        str,
        (0, 24),
        "",
    ),  # "x,y,z" in mg, what it feels while it stands upright; 0,0,1000
    "motion.shock_mg": (int, (500, 15000), 2500),
    "motion.tilt_deg": (int, (5, 180), 45),
    "weather.line": (
        str,
        ["none", "own", "shared"],
        "none",
    ),  # sensors: none, on a line of theirs,
    "weather.baud": (int, (1200, 460800), 4800),  # or on that of the GNSS or the AIS receiver
    "weather.visibility_m": (int, (0, 50000), 0),  # less is an alarm; 0: none
    "weather.low_cm": (int, (-100000, 100000), -100000),  # a water level below it is an alarm,
    "weather.high_cm": (int, (-100000, 100000), 100000),  # and one above this
    "ais.baud": (int, (1200, 460800), 38400),
    "ais.interval_s": (
        int,
        (0, 86400),
        60,
    ),  # a ship that did not change is not told again earlier
    "ais.still_s": (int, (0, 86400), 600),  # nor one at anchor
    "ais.own_mmsi": (int, (0, 999999999), 0),  # the aid's own; 0: it has no AIS
    "ais.neighbours": (str, (0, 96), ""),  # MMSIs, commas between them, that should be heard
    "ais.unit": (str, ["none", "bbm", "vdm", "vdo"], "none"),  # what the AIS unit takes
    "ais.name": (str, (0, 34), ""),
    "ais.type": (int, (0, 31), 0),  # of message 21
    "ais.dest_mmsi": (int, (0, 999999999), 0),  # of message 6; 0: none is sent
    "ais.dac": (int, (0, 1023), 235),  # of message 6: 235 or 250, or 0 for FI 0
    "ais.application": (int, (0, 65535), 0),  # of DAC 0, FI 0: its sub-application
    "ais.aton_s": (int, (60, 3600), 180),  # between two messages 21
    "meter.protocol": (
        str,
        ["dlt645", "sdm630", "dtsd1352", "adw300", "dtsu666"],
        "dlt645",
    ),
    "meter.address": (
        str,
        (1, 12),
        "aaaaaaaaaaaa",
    ),  # DL/T 645: twelve digits, or all a: any meter
    "meter.password": (str, (0, 8), ""),  # DL/T 645: level and password of control
    "meter.operator": (str, (8, 8), "00000000"),
    "meter.unit": (int, (1, 247), 1),  # Modbus
    "meter.baud": (int, (300, 115200), 2400),
    "meter.parity": (str, ["none", "even", "odd"], "even"),
    "meter.period_s": (int, (1, 3600), 10),
    "meter.pt": (int, (1, 65535), 1),  # voltage transformer ratio
    "meter.ct": (int, (1, 65535), 1),  # current transformer ratio
    "meter.tell_time": (str, ["no", "yes"], "no"),  # DL/T 645: broadcast it once a day
    "meter.utc_min": (int, (-720, 840), 480),  # its local time less UTC
    "meter.nominal_ma": (int, (100, 100000), 5000),  # the meter's own nominal current,
    "meter.start_pm": (int, (1, 10), 4),  # and where it begins to count, in thousandths of that
    "meter.certified_until": (str, (0, 10), ""),  # YYYY-MM-DD, the last day of its certificate
    "supply.nominal_v": (int, (1, 20000), 220),  # phase to neutral
    "supply.rated_a": (int, (1, 6000), 63),  # of the outlet's breaker
    "supply.residual_ma": (int, (6, 30000), 30),  # of the device that protects the outlet
    "session.interim_s": (int, (60, 3600), 900),  # between two readings kept of a session
}


# The same for access. Texts are PEM where nothing else is said.
ACCESS = {
    "host": (str, (1, 64), "127.0.0.1"),
    "port": (int, (1, 65535), 1883),
    "password": (str, (0, 64), ""),
    "tls": (bool, None, False),
    "ca": (str, (0, 4096), ""),
    "cert": (str, (0, 4096), ""),  # this device's own chain, leaf first
    "key": (str, (0, 4096), ""),
    "wifi.ssid": (str, (1, 32), None),
    "wifi.key": (str, (0, 64), None),
    "apn.name": (str, (1, 64), None),
    "apn.user": (str, (0, 64), None),
    "apn.password": (str, (0, 64), None),
    "apn.pin": (str, (0, 8), None),
}


class Settings:
    """What was set, and the defaults of all else: `settings[key]` for every key of SETTINGS."""

    def __init__(self, given):
        self._given = given  # only these: RAM is scarce, the table is not in it

    def __getitem__(self, key):
        return self._given[key] if key in self._given else SETTINGS[key][2]


def load(text: str | bytes) -> tuple:
    """Return (Settings, errors): what is set, and what was wrong, for people.

    Sections of the JSON text become dotted keys: {"gnss": {"baud": 9600}} sets "gnss.baud".
    """
    given, errors = _read(text, SETTINGS, "settings")
    return Settings(given), errors


def load_access(text):
    """Return (access, errors): `wifi` and `apn` are dicts, None where nothing is said of them."""
    flat, errors = _read(text, ACCESS, "access")
    access: dict = {"wifi": None, "apn": None}
    for key, row in ACCESS.items():
        value = flat[key] if key in flat else row[2]
        section, _, name = key.partition(".")
        if not name:
            access[key] = value
        elif value is not None:
            access[section] = access[section] or {}
            access[section][name] = value
    return access, errors


def refusals(name: str, text: bytes) -> list:
    """Return what is wrong with a text for the slots `name` ("settings", "access"): [] if nothing."""
    return (load if name == "settings" else load_access)(text)[1]


def _read(text, table, name):
    errors = []
    values: dict = {}
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        return values, ["%s: not a JSON object; defaults are used" % name]
    for key, value in _flat(data):
        if key not in table:
            errors.append("%s: %s: there is no such setting" % (name, key))
            continue
        if _valid(value, table[key][0], table[key][1]):
            values[key] = value
        else:
            # A secret is not repeated on a console; the toolkit says what is allowed.
            errors.append("%s: %s: not allowed; the default is used" % (name, key))
    return values, errors


def _flat(data):
    for key, value in data.items():
        if isinstance(value, dict):
            for inner, setting in value.items():
                yield key + "." + inner, setting
        else:
            yield key, value


def _valid(value, kind, allowed):
    # True is an integer to Python, not to people.
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        return False
    if allowed is None:
        return True
    if isinstance(allowed, list):
        return value in allowed
    return allowed[0] <= (len(value) if kind is str else value) <= allowed[1]
