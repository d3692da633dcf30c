"""Two gateways share the devices by shards; one dies, a standby takes its place, then it is drained.

Every record that a device made is in the store exactly once, in an independent count. The dead
gateway's last records were acknowledged to their devices and handed on to nobody: only its journal has
them.
"""

import os
import subprocess
import time
import urllib.error
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt

from agent.keep import window
from agent.wire import decode, messages, schema
from agent.wire.vectors import written_record
from simulators.site import brokers
from tests.chain import stores
from tests.chain.fleet import Burst, Device, Fleet
from tests.chain.processes import (
    GATEWAY_ENV,
    PASSWORDS,
    centre,
    free_port,
    gateway_command,
    get,
    listens,
    process,
    victoria_metrics,
    wait_for,
)
from tests.peers import need

DEVICES = [f"dev-{n}" for n in range(8)]
RATE = 40  # records a second from each
HALVES = {"gateway-1": "00-7f", "gateway-2": "80-ff"}
RESEND_S = 3  # instead of 30: how long a device waits for an acknowledgement that went down with a gateway


@contextmanager
def shared_broker(folder):
    """Run a mosquitto with a user, and so a session, for each gateway."""
    need("mosquitto")
    port = free_port()
    users = dict.fromkeys(HALVES, PASSWORDS["gateway"]) | {name: name[::-1] for name in DEVICES}
    prepared = brokers.prepare(folder / "broker", "mosquitto", port, users)
    with (folder / "broker" / "rules").open("a") as rules:
        for name in HALVES:
            rules.write(f"\nuser {name}\ntopic read fw/1/+/+/up/#\ntopic write fw/1/+/+/dn/#\n")
    with process(prepared.command, folder / "mosquitto.log"):
        wait_for("mosquitto", lambda: listens(port))
        yield port


def configure(folder, data, name, port, series, url):
    """Write a gateway's configuration, and return it with the port of its pages."""
    pages = free_port()
    path = folder / f"{data}.toml"
    path.write_text(
        f"""
name = "{name}"
data = "{data}"
[broker]
port = {port}
user = "{name}"
shards = "{HALVES[name]}"
[series]
url = "{series}"
[centre]
url = "{url}"
[operation]
listen = "127.0.0.1:{pages}"
"""
    )
    return path, pages


def is_ready(pages):
    try:
        return get(f"http://127.0.0.1:{pages}/readyz").startswith(b"ready\n")
    except (urllib.error.URLError, OSError):
        return False


def devices_of(config):
    """Return which devices have an account at a gateway, as it says itself."""
    done = subprocess.run(
        [*gateway_command(config)[:4], "accounts", *gateway_command(config)[4:]],
        capture_output=True,
        text=True,
        check=True,
    )
    words = {line.split()[0] for line in done.stdout.splitlines() if line.strip()}
    return words & set(DEVICES)


def half(name):
    first, _, last = HALVES[name].partition("-")
    return {d for d in DEVICES if first <= messages.shard(d) <= last}


def test_one_of_two_dies_and_a_standby_takes_over(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(window, "_RESEND_S", RESEND_S)
    assert all(half(name) for name in HALVES), "the devices' shards are all in one half"
    with ExitStack() as stack:
        port = stack.enter_context(shared_broker(tmp_path))
        series, store = stack.enter_context(victoria_metrics(tmp_path))
        url, _ = stack.enter_context(centre(tmp_path, series))
        running, configs = {}, {}
        for name in HALVES:
            configs[name], pages = configure(tmp_path, name, name, port, series, url)
            running[name] = stack.enter_context(
                process(gateway_command(configs[name]), tmp_path / f"{name}.log", GATEWAY_ENV)
            )
            wait_for(f"{name} to be ready", lambda pages=pages: is_ready(pages))
        devices = [Device(name, tmp_path / name, port, Burst(RATE)) for name in DEVICES]
        fleet = stack.enter_context(Fleet(devices))
        time.sleep(3)

        # The store goes first, so that the gateway dies with what nobody else has.
        store.kill()
        time.sleep(1.5)
        mourned = next(d for d in devices if d.name in half("gateway-1"))
        running["gateway-1"].kill()
        died_s = time.monotonic()
        store.start()
        standby, pages = configure(tmp_path, "standby", "gateway-1", port, series, url)
        stack.enter_context(
            process(gateway_command(standby), tmp_path / "standby.log", GATEWAY_ENV)
        )
        wait_for("the standby", lambda: is_ready(pages))
        took_s = time.monotonic() - died_s
        made = len(mourned.ledger)
        time.sleep(2)
        assert len(mourned.ledger) > made
        fleet.settle(90)

        ledger: Counter[stores.Identity] = Counter()
        expected, events = set(), set()
        for device in devices:
            for (boot, seq), raw in device.ledger.items():
                identity = device.name, boot, seq
                ledger[identity] += 1
                kind = schema.SCHEMAS[decode.one(raw).schema][2]
                (expected if kind == schema.SERIES else events).add(identity)
        assert set(ledger.values()) == {1}

        # All is acknowledged, and the living have handed on what they have: the dead one's share is missing.
        own = {i for i in expected if i[0] in half("gateway-2")}
        wait_for("gateway-2's share", lambda: own <= set(stores.victoria_series(series)), 30)
        time.sleep(2)
        missing = expected - set(stores.victoria_series(series))
        assert missing
        assert {device for device, _, _ in missing} <= half("gateway-1")

        drained = subprocess.run(
            [
                *gateway_command(configs["gateway-1"])[:4],
                "drain",
                "--config",
                configs["gateway-1"],
            ],
            capture_output=True,
            text=True,
            env=os.environ | GATEWAY_ENV,
            timeout=60,
            check=False,
        )
        assert drained.returncode == 0, drained.stderr
        wait_for("the series", lambda: len(stores.victoria_series(series)) >= len(expected), 30)
        data = Path(tmp_path / "centre")
        wait_for("the events", lambda: len(stores.centre_events(data)) >= len(events), 30)
        assert stores.victoria_series(series) == Counter(expected)
        assert stores.centre_events(data) == Counter(events)

        # Each kept to its own, the standby included; and it did not have the dead one's journal.
        assert devices_of(configs["gateway-1"]) == half("gateway-1")
        assert devices_of(configs["gateway-2"]) == half("gateway-2")
        assert devices_of(standby) == half("gateway-1")
    with capsys.disabled():
        print(
            f"\ntwo gateways: {len(ledger)} records; the standby was ready {took_s:.1f} s after the "
            f"death, {len(missing)} records lay in the dead one's journal only; after the drain "
            "0 lost, 0 doubled"
        )


def test_a_second_gateway_in_the_same_folder_is_refused(tmp_path):
    """A standby needs a folder of its own; by mistake in the same one, it must not start."""
    with ExitStack() as stack:
        port = stack.enter_context(shared_broker(tmp_path))
        series = f"sqlite:{tmp_path / 'series'}"
        config, pages = configure(
            tmp_path, "gateway-1", "gateway-1", port, series, "http://[::1]:9"
        )
        stack.enter_context(process(gateway_command(config), tmp_path / "log", GATEWAY_ENV))
        wait_for("it to be ready", lambda: is_ready(pages))
        second = subprocess.run(
            gateway_command(config),
            capture_output=True,
            text=True,
            env=os.environ | GATEWAY_ENV,
            timeout=30,
            check=False,
        )
        assert second.returncode == 1
        assert str(tmp_path / "gateway-1") in second.stderr
        assert is_ready(pages)


def test_shards_can_be_moved(tmp_path):
    """What a gateway no longer has to take comes to it no more, though its session is kept."""
    with ExitStack() as stack:
        port = stack.enter_context(shared_broker(tmp_path))
        config, pages = configure(
            tmp_path, "gateway-1", "gateway-1", port, f"sqlite:{tmp_path / 'series'}", ""
        )
        half_of_it = config.read_text().replace('url = ""', "")
        config.write_text(half_of_it.replace(HALVES["gateway-1"], "+"))
        log = tmp_path / "log"
        gateway = stack.enter_context(process(gateway_command(config), log, GATEWAY_ENV))
        wait_for("it to be ready", lambda: is_ready(pages))
        gateway.stop()
        config.write_text(half_of_it)
        gateway.start()
        wait_for("it to be ready", lambda: is_ready(pages))
        for device in sorted(half("gateway-2")) + sorted(half("gateway-1")):
            sender = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=device)
            sender.username_pw_set(device, device[::-1])
            sender.connect("127.0.0.1", port)
            sender.loop_start()
            record = written_record(schema.BEACON, [257], boot=3, seq=0, t=1000)
            sender.publish(messages.topic(device, "up", "rec"), record, 1).wait_for_publish(5)
            sender.disconnect()
            sender.loop_stop()
        wait_for("its own", lambda: half("gateway-1") <= devices_of(config))
        assert devices_of(config) == half("gateway-1")


def test_a_drain_leaves_nothing_behind_in_silence(tmp_path):
    """An undated record waits for its clock record, which went to the standby: it must not be forgotten."""
    device, identity = "dev-0", ("dev-0", 3, 5)
    with ExitStack() as stack:
        port = stack.enter_context(shared_broker(tmp_path))
        series, _ = stack.enter_context(victoria_metrics(tmp_path))
        name = next(name for name in HALVES if device in half(name))
        config, pages = configure(tmp_path, "dead", name, port, series, "")
        config.write_text(config.read_text().replace('url = ""', ""))
        gateway = stack.enter_context(
            process(gateway_command(config), tmp_path / "dead.log", GATEWAY_ENV)
        )
        wait_for("it to be ready", lambda: is_ready(pages))
        sender = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=device)
        sender.username_pw_set(device, device[::-1])
        sender.connect("127.0.0.1", port)
        sender.loop_start()
        record = written_record(schema.BEACON, [257, 31_000_000], boot=3, seq=5, t=-100)
        sender.publish(messages.topic(device, "up", "rec"), record, 1)
        wait_for("its commit", lambda: devices_of(config) == {device})
        sender.disconnect()
        sender.loop_stop()
        gateway.kill()
        drained = subprocess.run(
            [*gateway_command(config)[:4], "drain", "--config", config],
            capture_output=True,
            text=True,
            env=os.environ | GATEWAY_ENV,
            timeout=60,
            check=False,
        )
        assert drained.returncode == 0, drained.stderr
        # A series that is new to it VictoriaMetrics finds a moment later.
        wait_for("the record", lambda: set(stores.victoria_series(series)) == {identity})
