"""The configuration of stations, aids and adapters."""

import ipaddress
import re
from pathlib import Path

import pytest

from gateway.config import load
from gateway.config_inputs import PROTOCOLS, Aid, Station
from gateway.inbox import Inbox
from gateway.inputs.adapter.connections import make
from gateway.inputs.others import others
from toolkit.settings import SettingsError

DEMO = Path(__file__).parents[2] / "config" / "demo" / "gateway.toml"
GOOD = """
[[station]]
id = "vts-east"
address = "udp://239.192.0.4:60004"
interface = "192.0.2.7"
lat = 31.1
lon = 122.2
wind_zero_deg = 12

[[station]]
id = "mast"
address = "/dev/ttyUSB0"
interval_s = 0

[[aid]]
mmsi = 994131405
device = "c1-ais"

[[aid]]
mmsi = 992111851
device = "tower-ais"
floating = false

[[adapter]]
id = "buoys"
protocol = "jt808"
listen = "tcp://127.0.0.1:18808"
allow = "10.8.0.0/16, 127.0.0.1"
voltage_item = 0x61
[adapter.terminals]
"013800138000" = "buoy-9"
"""


def read(tmp_path, text):
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    return load(path, {})


def test_everything(tmp_path):
    config = read(tmp_path, GOOD)
    east, mast = config.inputs.stations
    assert east == Station(
        "vts-east", "udp://239.192.0.4:60004", 38_400, "192.0.2.7", 31_100_000, 122_200_000, 120,
        60, 600, 600, 300,
    )  # fmt: skip
    assert (mast.address, mast.lat_e6, mast.zero_dd, mast.interval_s) == (
        "/dev/ttyUSB0",
        None,
        None,
        0,
    )
    assert config.inputs.aids == {
        994131405: Aid("c1-ais", floating=True),
        992111851: Aid("tower-ais", floating=False),
    }
    (buoys,) = config.inputs.adapters
    assert buoys.terminals == {"13800138000": "buoy-9"}
    assert buoys.allow == (ipaddress.ip_network("10.8.0.0/16"), ipaddress.ip_network("127.0.0.1"))
    assert (buoys.connections, buoys.idle_s, buoys.voltage_item) == (1000, 600, 0x61)
    found = others(config, Inbox(1))
    assert set(found) == {"station vts-east", "station mast", "adapter buoys"}
    for source in found.values():
        assert source.fault() != ""  # not started
        assert source.take_counts() == {}
        source.stop()


def test_nothing(tmp_path):
    config = read(tmp_path, "")
    assert config.inputs == type(config.inputs)((), {}, ())
    assert others(config, Inbox(1)) == {}


STATION = '[[station]]\nid = "a"\naddress = "/dev/x"\n'
ADAPTER = '[[adapter]]\nid = "t"\nprotocol = "jt808"\nlisten = "tcp://[::]:18808"\n'


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[[station]]\naddress = "/dev/x"', 1, ["station[0].id", "is missing"]),
        (STATION.replace('"a"', '"A"'), 2, ["station[0].id", "'A'", "a-z"]),
        (
            STATION.replace("/dev/x", "http://x"),
            3,
            ["station[0].address", "http://x", "serial port"],
        ),
        (STATION.replace("/dev/x", "tcp://x:0"), 3, ["address", "ports 1 to 65535"]),
        (STATION.replace("/dev/x", "udp://x:99999"), 3, ["address", "ports 1 to 65535"]),
        (STATION + "lat = 3\n", 1, ["station[0].lon", "is missing"]),
        (STATION + "lat = 91\nlon = 1\n", 4, ["lat", "-90 to 90"]),
        (STATION + "silent_s = 5\n", 4, ["silent_s", "10 to 86400"]),
        (STATION + "baud_rate = 5\n", 4, ["baud_rate", "not a known key", "baud"]),
        (STATION + STATION, 5, ["station[1].id", "'a'", "station[0].id"]),
        (STATION + '[[aid]]\nmmsi = 5\ndevice = "a"', 6, ["aid[0].device", "station[0].id"]),
        ('[[aid]]\nmmsi = 0\ndevice = "b"', 2, ["aid[0].mmsi", "1 to 999999999"]),
        (
            '[[aid]]\nmmsi = 5\ndevice = "b"\n[[aid]]\nmmsi = 5\ndevice = "c"',
            5,
            ["aid[1].mmsi", "another [[aid]]"],
        ),
        (ADAPTER.replace("jt808", "jt809"), 3, ["adapter[0].protocol", "jt809", "jt808"]),
        (ADAPTER.replace("tcp://[::]:18808", ":18808"), 4, ["adapter[0].listen", "HOST:PORT"]),
        (ADAPTER + 'allow = "10.8.0.1/16"\n', 5, ["allow", "10.8.0.1/16", "networks"]),
        (ADAPTER + "connections = 0\n", 5, ["connections", "1 to 20000"]),
        (ADAPTER + ADAPTER, 6, ["adapter[1].id", "another [[adapter]]"]),
        (ADAPTER + '[adapter.terminals]\n"1 2" = "x"\n', 6, ["terminals", "1 2", "digits"]),
        (ADAPTER + "[adapter.terminals]\n1 = 5\n", 6, ["terminals.1", "is 5", "device"]),
        (
            ADAPTER + '[adapter.terminals]\n1 = "x"\n2 = "x"\n',
            7,
            ["terminals.2", "'x'", "terminals.1"],
        ),
    ],
)
def test_an_error_names_file_line_key_value_and_what_is_allowed(tmp_path, text, line, words):
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    problem = caught.value.problems[0]
    assert problem.startswith(f"{tmp_path / 'gateway.toml'}:{line}: "), caught.value.problems
    for word in words:
        assert word in problem


def test_two_numbers_that_differ_by_zeros_in_front(tmp_path):
    with pytest.raises(SettingsError, match="013"):
        read(tmp_path, ADAPTER + '[adapter.terminals]\n13 = "x"\n013 = "y"\n')


def test_every_protocol_has_a_reader(tmp_path):
    config = read(tmp_path, GOOD)
    for protocol in PROTOCOLS:
        adapter = type(config.inputs.adapters[0])(
            "x", protocol, "tcp://127.0.0.1:1", (), 1, 10, 0, {}
        )
        assert make(adapter).feed(b"", 0) == []


def test_the_example_is_good(tmp_path):
    """What is commented out in the demo's file, with its marks taken away."""
    lines = DEMO.read_text("utf-8").splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith("# [[station]]"))
    text = "\n".join(line.removeprefix("# ") for line in lines[begin:])
    config = read(tmp_path, text)
    assert config.inputs.stations and config.inputs.aids and config.inputs.adapters


def test_counters_names_fit_what_the_centre_takes():
    """A longer one would make it refuse everything that the gateway sends (agent.wire.body)."""
    folder = Path(__file__).parents[2] / "gateway" / "inputs"
    names = {
        name
        for path in folder.rglob("*.py")
        for name in re.findall(
            r'(?:add|_refuse|_count|counts)[\[(]f?"([a-z0-9{}-]+)', path.read_text()
        )
    }
    assert len(names) > 15
    longest = max(len("station."), len("adapter.")) + 32 + 1 + max(map(len, names))
    assert longest <= 64, max(names, key=len)
