"""What a device is told about its work: /config.json, checked against one table.

    config, errors = load(open("/config.json").read())
    config["report_s"]

A setting that is wrong is replaced by its default, named in `errors` and counted in the birth record:
a bad setting never keeps a device silent. The toolkit uses the same table and refuses the file before
it leaves the laptop.
"""

import json

# key: (type, allowed, default). Allowed is (low, high) for a number, (longest,) for a text, or the
# list of words. The comment is for people.
SETTINGS = {
    "profile": (str, ["beacon", "shorepower"], "beacon"),  # which parts the device has
    "board": (str, (32,), "virtual"),  # board file in agent/hal/boards
    "broker.host": (str, (64,), "127.0.0.1"),
    "broker.port": (int, (1, 65535), 1883),
    "broker.keepalive_s": (int, (10, 3600), 60),
    "report_s": (int, (1, 86400), 600),  # the every-report record
    "detail_s": (int, (1, 86400), 3600),  # gnss, rx and health records
    "outbox_bytes": (int, (2048, 4194304), 16384),  # RAM for records that wait for their ack
    "gnss.baud": (int, (1200, 460800), 9600),
    "ais.baud": (int, (1200, 460800), 38400),
    "ais.interval_s": (int, (0, 86400), 60),  # a ship is not reported again earlier
    "lamp.on_ma": (int, (1, 32767), 20),  # above this current the lamp is lit
    "lamp.dark_s": (int, (1, 120), 20),  # longer than the longest darkness of any character
    "meter.protocol": (str, ["dlt645", "sdm630"], "dlt645"),
    "meter.address": (str, (12,), "aaaaaaaaaaaa"),  # DL/T 645: twelve digits, or all a: any meter
    "meter.unit": (int, (1, 247), 1),  # Modbus
    "meter.baud": (int, (300, 115200), 2400),
    "meter.parity": (str, ["none", "even", "odd"], "even"),
    "meter.period_s": (int, (1, 3600), 5),
    "meter.pt": (int, (1, 65535), 1),  # voltage transformer ratio
    "meter.ct": (int, (1, 65535), 1),  # current transformer ratio
}


def load(text):
    """Return (settings, errors): every key of SETTINGS with a value, and what was wrong, for people.

    Sections of the JSON text become dotted keys: {"gnss": {"baud": 9600}} sets "gnss.baud".
    """
    errors = []
    config = {key: row[2] for key, row in SETTINGS.items()}
    try:
        data = json.loads(text)
    except ValueError as error:
        return config, ["config.json is not JSON (%s); defaults are used" % error]
    if not isinstance(data, dict):
        return config, ["config.json is not an object; defaults are used"]
    for key, value in _flat(data):
        if key not in SETTINGS:
            errors.append("config.json: %s: there is no such setting" % key)
            continue
        kind, allowed, default = SETTINGS[key]
        if _valid(value, kind, allowed):
            config[key] = value
        else:
            errors.append(
                "config.json: %s: %r is not allowed, only %s; %r is used"
                % (key, value, _words(kind, allowed), default)
            )
    return config, errors


def _flat(data):
    for key, value in data.items():
        if isinstance(value, dict):
            for inner, setting in value.items():
                yield key + "." + inner, setting
        else:
            yield key, value


def _valid(value, kind, allowed):
    # True is an integer to Python, not to people.
    if not isinstance(value, kind) or isinstance(value, bool):
        return False
    if kind is str:
        return value in allowed if isinstance(allowed, list) else 0 < len(value) <= allowed[0]
    return allowed[0] <= value <= allowed[1]


def _words(kind, allowed):
    if isinstance(allowed, list):
        return " or ".join(allowed)
    if kind is str:
        return "a text of 1 to %d characters" % allowed[0]
    return "a whole number from %d to %d" % allowed
