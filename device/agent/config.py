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
    "ais.baud": (int, (1200, 460800), 38400),
    "ais.interval_s": (int, (0, 86400), 60),  # a ship is not reported again earlier
    "lamp.on_ma": (int, (1, 32767), 20),  # above this current the lamp is lit
    "lamp.dark_s": (int, (1, 120), 20),  # longer than the longest darkness of any character
    "meter.protocol": (str, ["dlt645", "sdm630"], "dlt645"),
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
    "meter.period_s": (int, (1, 3600), 5),
    "meter.pt": (int, (1, 65535), 1),  # voltage transformer ratio
    "meter.ct": (int, (1, 65535), 1),  # current transformer ratio
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


def load(text):
    """Return (settings, errors): every key of SETTINGS with a value, and what was wrong, for people.

    Sections of the JSON text become dotted keys: {"gnss": {"baud": 9600}} sets "gnss.baud".
    """
    return _read(text, SETTINGS, "settings")


def load_access(text):
    """Return (access, errors): `wifi` and `apn` are dicts, None where nothing is said of them."""
    flat, errors = _read(text, ACCESS, "access")
    access: dict = {"wifi": None, "apn": None}
    for key, value in flat.items():
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
    values = {key: row[2] for key, row in table.items()}
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
