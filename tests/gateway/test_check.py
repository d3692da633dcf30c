"""`fairway gateway check`: finds what is wrong, with real brokers and stores, and disturbs nothing."""

import http.server
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from agent.wire import messages
from gateway.access.tls import TLS
from gateway.check import broker as check_broker
from gateway.check import check
from gateway.check import stores as check_stores
from gateway.check.broker_settings import check_broker_settings
from gateway.check.findings import ERROR, OK, WARNING
from gateway.config import Broker, Centre, Series, load
from tests.chain.processes import (
    GATEWAY_ENV,
    PASSWORDS,
    TOKEN,
    broker,
    centre,
    free_port,
    listens,
    process,
    victoria_metrics,
    wait_for,
)
from tests.link import pki
from tests.peers import need

ROOT = Path(__file__).parents[2]
RULES = (ROOT / "config" / "mosquitto.rules").read_text()
SECRET = PASSWORDS["gateway"]


def settings(port, password=SECRET, **other):
    given = {"host": "127.0.0.1", "port": port, "user": "gateway", "password": password}
    return Broker(**(given | {"keepalive_s": 30, "shards": ("+",)} | other))


def look(port, batch=500, **other):
    return list(check_broker.check(settings(port, **other), "gateway-1", batch))


def said(findings, level):
    return " | ".join(f"{f.what}; {f.action}" for f in findings if f.level == level)


@contextmanager
def mosquitto(folder, lines="", rules=RULES):
    """Run a mosquitto with lines of our own."""
    program = need("mosquitto")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    passwords, acl = folder / "passwords", folder / "rules"
    passwords.write_text(f"gateway:{SECRET}\nbuoy-1:{'buoy-1'[::-1]}\n")
    passwords.chmod(0o600)
    subprocess.run([shutil.which("mosquitto_passwd"), "-U", passwords], check=True)
    acl.write_text(rules)
    acl.chmod(0o600)
    conf = folder / "mosquitto.conf"
    conf.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\n"
        f"acl_file {acl}\nsys_interval 1\n{'user root' if os.geteuid() == 0 else ''}\n{lines}\n"
    )
    with process([program, "-c", str(conf)], folder / "log"):
        wait_for("mosquitto", lambda: listens(port))
        yield port


class Reader:
    """A gateway's session at the broker: persistent, everything acknowledged."""

    def __init__(self, port, client_id="gateway", filters="fw/1/+/+/up/+"):
        self.got = []
        self.connected = 0
        self._filters = filters
        self.paho = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False
        )
        self.paho.username_pw_set("gateway", SECRET)
        self.paho.reconnect_delay_set(1, 1)
        self.paho.on_connect = self._connect
        self.paho.on_subscribe = lambda *_: setattr(self, "connected", self.connected + 1)
        self.paho.on_message = lambda _c, _u, m: self.got.append((m.topic, m.payload))
        self.paho.connect("127.0.0.1", port, 20)
        self.paho.loop_start()
        wait_for("the session", lambda: self.connected)

    def _connect(self, client, *_):
        client.subscribe(self._filters, 1)

    def close(self):
        self.paho.disconnect()
        self.paho.loop_stop()


def publish(port, numbers, retain=False):
    sender = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="buoy-1")
    sender.username_pw_set("buoy-1", "buoy-1"[::-1])
    sender.connect("127.0.0.1", port, 20)
    sender.loop_start()
    kind = "state" if retain else "rec"
    for n in numbers:
        info = sender.publish(messages.topic("buoy-1", "up", kind), str(n).encode(), 1, retain)
    info.wait_for_publish(20)
    sender.disconnect()
    sender.loop_stop()


# The broker.


def test_a_good_broker(tmp_path):
    rules = RULES + "topic read $SYS/broker/version\n"
    with mosquitto(tmp_path, "max_inflight_messages 2000", rules) as port:
        publish(port, [1], retain=True)
        found = look(port, shards=(messages.shard("buoy-1"),))
    assert {f.level for f in found} == {OK}, found
    text = said(found, OK)
    for words in ("window is 2000", "rules are in force", "something comes", "mosquitto version"):
        assert words in text


def test_nothing_is_left_at_the_broker(tmp_path):
    rules = RULES + "topic read $SYS/#\n"
    with mosquitto(tmp_path, "max_inflight_messages 2000", rules) as port:
        look(port)
        reader = Reader(port, "other", "$SYS/broker/clients/+")
        time.sleep(1.5)
        wait_for("counts", lambda: len(reader.got) >= 5)
        counts = dict(reader.got)
        reader.close()
    assert counts["$SYS/broker/clients/disconnected"] == b"0", "a session was left behind"


@pytest.mark.parametrize("named", [True, False], ids=["user-is-client-id", "client-ids"])
def test_a_waiting_queue_and_a_running_gateway_lose_nothing(tmp_path, named):
    lines = "max_inflight_messages 50\nmax_queued_messages 10000\n"
    lines += f"use_username_as_clientid {str(named).lower()}\n"
    with mosquitto(tmp_path, lines) as port:
        reader = Reader(port)
        reader.close()
        publish(port, range(1000))
        found = look(port)
        assert ("own session" in said(found, OK)) == named
        again = Reader(port)
        wait_for("the queue", lambda: len(set(again.got)) == 1000)
        # Now beside a gateway that runs, while a device sends.
        sending = threading.Thread(target=publish, args=(port, range(1000, 3000)))
        sending.start()
        look(port)
        sending.join()
        wait_for("the rest", lambda: len(set(again.got)) == 3000)
        # The subscription is as it was: QoS 1, to the same filter.
        again.close()
        publish(port, [3000])
        last = Reader(port)
        wait_for("what came meanwhile", lambda: len(last.got) >= 1)
        assert last.got[-1][1] == b"3000"
        last.close()


def test_a_wrong_password_or_none(tmp_path):
    with mosquitto(tmp_path) as port:
        found = look(port, password="wrong")
        assert "refuses user 'gateway'" in said(found, ERROR)
        assert "password_file" in said(look(port, password=""), ERROR)


def test_the_default_window_is_too_small_for_a_batch(tmp_path):
    with mosquitto(tmp_path) as port:
        found = look(port)
        assert "window is 20 messages" in said(found, WARNING)
        assert "max_inflight_messages 2000" in said(found, WARNING)
        assert "window" not in said(look(port, batch=20), WARNING)


def test_a_gateway_that_is_connected_is_not_pushed_aside(tmp_path):
    """Where the broker would end its connection, and it says itself that it is well."""
    path = tmp_path / "gateway.toml"
    with mosquitto(tmp_path / "broker", "use_username_as_clientid true") as port:
        for answer, visited in ((200, False), (503, True)):
            ready = {
                "/readyz": (answer, b"ready\n" if answer == 200 else b"not ready: mqtt\n", {})
            }
            with pretender(ready) as url:
                path.write_text(
                    f'[broker]\nport = {port}\nsettings_file = "broker/mosquitto.conf"\n'
                    f'[operation]\nlisten = "{url.removeprefix("http://")}"\n'
                )
                found = list(check.check(load(path, {})))
            assert ("refuses user" in said(found, ERROR)) == visited


@pytest.mark.parametrize(
    ("rules", "level", "words"),
    [
        (RULES.replace("topic write", "#"), ERROR, "topic write fw/1/+/+/dn/#"),
        ("topic readwrite #\npattern readwrite #\n", ERROR, "in a device's name"),
        (RULES + "topic write fw/#\n", ERROR, "in a device's name"),
        (RULES + "topic write fw/1/+\n", WARNING, "no business"),
    ],
)
def test_wrong_rules(tmp_path, rules, level, words):
    with mosquitto(tmp_path, "max_inflight_messages 2000", rules) as port:
        assert words in said(look(port), level)


def test_other_brokers_and_no_broker(tmp_path, monkeypatch):
    monkeypatch.setattr(check_broker, "_WAIT_S", 1.0)
    with broker("amqtt", tmp_path, []) as (port, _):
        found = look(port)
        assert found[-1].level in {WARNING, ERROR}
        assert "MQTT 5" in found[-1].what
    (nobody,) = look(free_port())
    assert nobody.level == ERROR
    assert "nobody listens" in nobody.what


def test_a_broker_with_tls(tmp_path):
    now = datetime.now(UTC)
    good, other = (pki.CA(now - pki.DAY, now + 90 * pki.DAY, f"CA {n}") for n in range(2))
    files = {"ca": good.cert, "other": other.cert}
    server = good.server(ends=now + 10 * pki.DAY)
    files |= {"cert": server.cert, "key": server.key}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    lines = f"certfile {tmp_path / 'cert'}\nkeyfile {tmp_path / 'key'}\nmax_inflight_messages 500"
    with mosquitto(tmp_path / "broker", lines) as port:
        found = look(port, tls=TLS(tmp_path / "ca"))
        assert "takes user" in said(found, OK)
        assert "the broker's certificate ends in" in said(found, WARNING)
        assert "wrong-ca" in said(look(port, tls=TLS(tmp_path / "other")), ERROR)
        assert "TLS" in said(look(port), ERROR), "plain MQTT to a TLS port"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", None])
def test_a_server_that_is_no_broker(answer, monkeypatch):
    monkeypatch.setattr(check_broker, "_WAIT_S", 1.0)
    stopping = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)

        def serve():
            with ExitStack() as held:
                while not stopping.is_set():
                    try:
                        s, _ = server.accept()
                    except TimeoutError:
                        continue
                    held.enter_context(s)
                    if answer is not None:
                        s.recv(1000)
                        s.sendall(answer)
                        s.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        found = look(server.getsockname()[1])
        stopping.set()
        thread.join()
        assert found[-1].level == ERROR, found


# Its settings.


def write(folder, text):
    rules = folder / "rules"
    rules.write_text(RULES)
    path = folder / "mosquitto.conf"
    path.write_text(text.replace("/etc/fairway/mosquitto.rules", str(rules)))
    return path


SHIPPED = (ROOT / "config" / "mosquitto.conf").read_text()


def test_the_shipped_settings_are_good(tmp_path):
    assert check_broker_settings(write(tmp_path, SHIPPED), 500) == []


@pytest.mark.parametrize(
    ("line", "instead", "words"),
    [
        ("max_inflight_messages 2000", "max_inflight_messages 100", "max_inflight_messages 2000"),
        ("max_inflight_messages 2000", "", "which means 20"),
        ("max_queued_messages 1000000", "max_queued_messages 0", "2.0.22"),
        ("max_queued_messages 1000000", "", "dropped in silence"),
        ("max_queued_bytes 1073741824", "max_queued_bytes 100000", "max_queued_bytes 1073741824"),
        ("max_queued_bytes 1073741824", "", "all memory"),
        ("persistence true", "persistence false", "persistence true"),
        ("autosave_interval", "# autosave_interval", "autosave_interval 30"),
        ("autosave_interval", "autosave_interval 0", "at the end only"),
        ("autosave_on_changes false", "autosave_on_changes true", "autosave_on_changes false"),
        ("allow_anonymous false", "allow_anonymous true", "allow_anonymous false"),
        ("acl_file", "# acl_file", "every device may write"),
        ("use_username_as_clientid true", "", "ends the gateway's session"),
        ("certfile", "# certfile", "plain text"),
        ("tls_version tlsv1.2", "tls_version tlsv1.1", "tls_version tlsv1.2"),
        ("listener 8883", "max_packet_size 2000\nlistener 8883", "max_packet_size 8192"),
        ("listener 8883", "retain_available false\nlistener 8883", "retain_available true"),
        ("listener 8883", "persistent_client_expiration 1d\nlistener 8883", "remove the line"),
    ],
)
def test_each_wrong_line_is_named_with_the_right_one(tmp_path, line, instead, words):
    text = "\n".join(instead if row.startswith(line) else row for row in SHIPPED.splitlines())
    path = write(tmp_path, text)
    faults = check_broker_settings(path, 500)
    assert len(faults) == 1, faults
    assert words in faults[0]
    shown = instead.splitlines()[0] if instead and not instead.startswith("#") else ""
    if shown and "listener" not in faults[0]:
        number = path.read_text().splitlines().index(shown) + 1
        assert faults[0].startswith(f"{path}:{number}: ")
    else:
        assert faults[0].startswith(f"{path}:")


def test_a_line_that_says_the_right_thing_mends_each_fault(tmp_path):
    """What is advised for an empty file, written down, leaves nothing to say but the listener."""
    path = write(tmp_path, "listener 1883 127.0.0.1\n")
    advised = [fault.rpartition("write: ")[2] for fault in check_broker_settings(path, 500)]
    assert len(advised) >= 6
    text = "\n".join(line.partition(",")[0] for line in advised)
    path = write(tmp_path, f"listener 1883 127.0.0.1\n{text}\n")
    (left,) = check_broker_settings(path, 500)
    assert left.startswith(f"{path}: autosave_interval")


def test_settings_may_be_in_pieces_and_the_last_one_counts(tmp_path):
    more = tmp_path / "conf.d"
    more.mkdir()
    (more / "z.conf").write_text("\n\nmax_inflight_messages 5\n")
    (more / "ignored.txt").write_text("max_inflight_messages 1\n")
    path = write(tmp_path, SHIPPED + f"\ninclude_dir {more}\n")
    (fault,) = check_broker_settings(path, 500)
    assert fault.startswith(f"{more / 'z.conf'}:3: max_inflight_messages is 5")
    assert check_broker_settings(path, 5) == []


def test_settings_that_cannot_be_read_are_said_to_be(tmp_path):
    path = write(tmp_path, SHIPPED.replace("messages 2000", "messages many"))
    faults = check_broker_settings(path, 500)
    assert "is 'many', which is no number" in faults[0]
    (fault,) = check_broker_settings(tmp_path / "nowhere.conf", 500)
    assert "cannot be read" in fault
    (tmp_path / "odd.conf").write_bytes(bytes(range(256)) * 10)
    assert check_broker_settings(tmp_path / "odd.conf", 500)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (RULES.replace("pattern write fw/1/+/%u/up/#", ""), "pattern write fw/1/+/%u/up/#"),
        (RULES.replace("topic read", "topic deny"), "topic read fw/1/+/+/up/#"),
        (RULES.replace("user gateway", "user gate"), "below `user gateway`"),
        (RULES + "pattern readwrite fw/#\n", "others' topics"),
        ("topic #\n" + RULES, "others' topics"),
    ],
)
def test_rules_with_a_hole(tmp_path, rules, words):
    path = write(tmp_path, SHIPPED)
    (tmp_path / "rules").write_text(rules)
    faults = check_broker_settings(path, 500)
    assert faults
    assert any(words in fault for fault in faults)
    assert all(str(tmp_path / "rules") in fault for fault in faults)


# The stores.


class Pretender(http.server.BaseHTTPRequestHandler):
    """A store that says what it is told to, in `says`."""

    def do_GET(self):
        code, body, headers = self.says.get(self.path.split("?")[0], (404, b"", {}))
        self.send_response_only(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.do_GET()

    def log_message(self, *_):
        pass


@contextmanager
def pretender(says):
    handler = type("Handler", (Pretender,), {"says": says})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_victoria_metrics_with_and_without_its_flags(tmp_path):
    with victoria_metrics(tmp_path) as (url, _):
        found = list(check_stores.series(Series(url, "", "", "")))
        assert {f.level for f in found} == {OK}, found
        assert "VictoriaMetrics" in found[0].what
    port = free_port()
    command = [need("victoria-metrics"), f"-httpListenAddr=127.0.0.1:{port}"]
    command += [f"-storageDataPath={tmp_path / 'other'}"]
    with process(command, tmp_path / "other.log"):
        wait_for("victoria-metrics", lambda: listens(port))
        found = list(check_stores.series(Series(f"http://127.0.0.1:{port}", "", "", "")))
    errors = said(found, ERROR)
    assert "-dedup.minScrapeInterval=1ms" in errors
    assert "-retentionPeriod=10y" in errors


def test_influxdb_its_token_and_its_bucket():
    health = (200, json.dumps({"name": "influxdb", "status": "pass"}).encode(), {})
    for answer, level, words in [
        ((200, b'{"buckets": [{"name": "fairway"}]}', {}), OK, "the token is good"),
        ((200, b'{"buckets": []}', {}), ERROR, "no bucket 'fairway'"),
        ((401, b"", {}), ERROR, "refuses the token"),
    ]:
        with pretender({"/health": health, "/api/v2/buckets": answer}) as url:
            found = list(check_stores.series(Series(url, "fairway", "fairway", "t")))
        assert words in said(found, level)
    old = {"/ping": (204, b"", {"X-Influxdb-Version": "1.6.7"}), "/health": (404, b"", {})}
    with pretender(old) as url:
        found = list(check_stores.series(Series(url, "", "", "")))
    assert "InfluxDB 2" in said(found, ERROR)


def test_a_store_whose_clock_is_off_and_one_that_is_not_there():
    late = {"Date": "Sat, 21 Nov 2020 10:00:00 GMT"}
    with pretender({"/health": (200, b"OK", late)}) as url:
        found = list(check_stores.series(Series(url, "", "", "")))
    assert "differ by" in said(found, WARNING)
    found = list(check_stores.series(Series(f"http://127.0.0.1:{free_port()}", "", "", "")))
    assert "cannot be reached" in said(found, ERROR)


def test_the_centre_and_its_token(tmp_path):
    with centre(tmp_path, f"sqlite:{tmp_path / 'series'}") as (url, _):
        assert {f.level for f in check_stores.centre(Centre(url, TOKEN))} == {OK}
        found = list(check_stores.centre(Centre(url, "other")))
        assert "refuses the token" in said(found, ERROR)
        with urllib.request.urlopen(f"{url}/api/system") as answer:
            assert json.load(answer)["gateways"] == [], "a check is no delivery"


# All of it, as people run it.


def run(folder, text):
    path = folder / "gateway.toml"
    path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "toolkit", "gateway", "check", "--config", str(path)],
        capture_output=True,
        text=True,
        env=os.environ | GATEWAY_ENV,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_exit_codes_and_a_line_for_each_finding(tmp_path):
    with mosquitto(tmp_path / "broker", "max_inflight_messages 2000") as port:
        operation = '[operation]\nlisten = "127.0.0.1:0"\n'
        good = f"[broker]\nport = {port}\n{operation}"
        code, out, _ = run(tmp_path, good)
        lines = out.splitlines()
        assert {line.split()[0] for line in lines} <= {OK, WARNING}
        assert code == int(any(line.startswith(WARNING) for line in lines)), out
        conf = tmp_path / "broker" / "mosquitto.conf"
        code, out, _ = run(
            tmp_path, f'[broker]\nport = {port}\nsettings_file = "{conf}"\n{operation}'
        )
        assert code == 1
        assert f"{conf}: max_queued_messages is not set" in out
        code, out, _ = run(
            tmp_path,
            good + '[centre]\nurl = "http://127.0.0.1:9"\n[beidou]\nport = "/dev/none"\n'
            '[[station]]\nid = "vts-east"\naddress = "/dev/null"\n',
        )
        assert code == 2
        assert "error    centre.url" in out
        assert "error    beidou.port /dev/none: is not there" in out
        assert "ok       station vts-east: address /dev/null: is there" in out
    code, _, err = run(tmp_path, "[broker]\nport = 0\n")
    assert (code, "broker.port" in err) == (2, True)


def test_files_that_are_wrong(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "journal.sqlite").write_bytes(b"no database at all, " * 1000)
    (data / "keys.toml").write_text(f'buoy-1 = "{"00" * 32}"\n')
    (data / "keys.toml").chmod(0o644)
    path = tmp_path / "gateway.toml"
    path.write_text(f'[broker]\nport = {free_port()}\n[operation]\nlisten = ""\n')
    found = list(check.check(load(path, {})))
    errors = said(found, ERROR)
    assert f"{data / 'journal.sqlite'} is damaged" in errors
    assert f"chmod 600 {data / 'keys.toml'}" in errors
    assert "broker 127.0.0.1" in errors
    assert not list(data.glob(".check-*"))


def test_a_folder_in_memory_is_told(tmp_path):
    memory = Path("/dev/shm")
    if check._file_system(memory) != "tmpfs":
        pytest.skip("/dev/shm is no tmpfs here")
    found = list(check._data(memory))
    assert "lies in memory" in said(found, WARNING)


def test_a_journal_beside_its_writer(tmp_path):
    """A journal in use is looked at without locking anybody out."""
    path = tmp_path / "journal.sqlite"
    with sqlite3.connect(path) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE t (a)")
        writer.execute("INSERT INTO t VALUES (1)")
        (found,) = check._journal(path)
        assert found.level == OK, found
        writer.execute("INSERT INTO t VALUES (2)")
    writer.close()
