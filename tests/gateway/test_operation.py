"""Metrics, health, logs, word to systemd: with real sockets, and clients that misbehave."""

import argparse
import io
import json
import logging
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cloud.command import CentreCommand
from gateway.check import check
from gateway.cli.command import GatewayCommand
from gateway.operation import answering, logs
from gateway.operation import server as operation
from gateway.operation.metrics import LABELS_MAX, Metrics
from gateway.operation.status import SinkStatus, Status
from tests.chain.processes import free_port, gateway_command, process, wait_for
from tests.peers import find

CONFIG = Path(__file__).parents[2] / "config"
UNITS = CONFIG / "systemd"
RULES = CONFIG / "prometheus.rules.yml"

GOOD = Status(
    gateway="gateway-1",
    started_ms=1_790_000_000_000,
    inbox=7,
    inbox_size=5000,
    journal_fault="",
    journal_bytes=123_456,
    commits=4,
    commit_s=0.5,
    committed_ms=1_790_000_001_500,
    inputs={"mqtt": "", "beidou": ""},
    sinks=(
        SinkStatus("series", True, 3, 100, 1, 2, 0, ""),
        SinkStatus("centre", True, 0, 90, 0, 0, 1, ""),
    ),
    counters={
        "messages": 110,
        "records": 100,
        "duplicates": 5,
        "conflicts": 1,
        "dead_letters": 4,
        "dead_letters.malformed": 3,
        "dead_letters.topic": 1,
        "awaiting_date": 2,
        "beidou.received": 9,
        "beidou.refused.interval": 1,
    },
)


@pytest.fixture
def serve():
    """Start servers over a status that the test may change."""
    servers = []

    def start(status=GOOD, listen="127.0.0.1:0", environ=None):
        held = {"status": status, "beat_s": 0.0}

        def look():
            if isinstance(held["status"], Exception):
                raise held["status"]
            return held["status"]

        server = operation.OperationServer(listen, look, lambda: held["beat_s"], environ or {})
        server.start()
        servers.append(server)
        return server, held

    yield start
    for server in servers:
        server.stop()


def get(server, path="/metrics"):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers


def samples(text):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_page_that_prometheus_reads(serve):
    server, _ = serve()
    code, text, headers = get(server)
    assert code == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found = samples(text)

    def value(name, **labels):
        return found["fairway_gateway_" + name, tuple(sorted(labels.items()))]

    assert value("messages_total") == 110
    assert value("records_total") == 100
    assert value("conflicts_total") == 1
    assert value("released_total") == 0
    assert value("refused_total") == 4
    assert value("dead_letters_total", reason="malformed") == 3
    assert value("dead_letters_total", reason="topic") == 1
    assert value("held_records", waiting_for="date") == 2
    assert ("fairway_gateway_held_records", (("waiting_for", "schema"),)) not in found
    assert value("events_total", part="beidou", event="refused.interval") == 1
    assert value("commit_seconds_sum") == 0.5
    assert value("commit_seconds_count") == 4
    assert value("last_commit_time_seconds") == 1_790_000_001.5
    assert value("journal_up") == 1
    assert value("input_up", input="mqtt") == 1
    assert value("sink_behind_rows", sink="series") == 3
    assert value("sink_refused_rows_total", sink="series") == 2
    assert value("sink_restarts_total", sink="centre") == 1
    assert any(name == "fairway_gateway_build_info" for name, _ in found)
    assert any(name == "process_resident_memory_bytes" for name, _ in found)
    helps = re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE)
    assert all(words.endswith(".") for name, words in helps if name.startswith("fairway"))


def test_alert_rules_and_the_manual_name_metrics_that_exist():
    there = {name for name, _ in samples(Metrics(lambda: GOOD).page().decode())}
    wanted = set(re.findall(r"fairway_gateway_\w+", RULES.read_text()))
    assert len(wanted) >= 8
    assert wanted <= there
    manual = (CONFIG.parent / "docs" / "operation.md").read_text()
    rows = manual.partition("| metric | |")[2].partition("\n\n")[0]
    told = set(re.findall(r"`([a-z_]+)(?:\{[a-z_,]+\})?`", rows))
    told |= {f"sink_{name}" for name in told if f"fairway_gateway_sink_{name}" in there}
    missing = {name for name in there if name.startswith("fairway")} - {
        f"fairway_gateway_{name}" for name in told
    }
    assert missing == set(), "the manual does not list them"
    promtool = find("promtool")
    if promtool:  # Debian package prometheus; the names' conventions and the rules' syntax
        page = Metrics(lambda: GOOD).page()
        assert (
            subprocess.run([promtool, "check", "metrics"], input=page, check=False).returncode == 0
        )
        assert (
            subprocess.run([promtool, "check", "rules", str(RULES)], check=False).returncode == 0
        )


def test_faults_show_as_zero_and_labels_have_a_bound(serve):
    flood = {f"dead_letters.reason-{n}": 1 for n in range(500)}
    flood |= {"dead_letters.Bad\nname{}": 2, "dead_letters.": 3}
    flood |= {f"station.odd-{n}": 1 for n in range(500)}
    sinks = (SinkStatus("series", True, 9, 0, 5, 0, 0, "connection refused"),)
    ill = replace(GOOD, journal_fault="the disk is full", sinks=sinks, counters=flood)
    metrics = Metrics(lambda: replace(ill, inputs={"mqtt": "not connected"}))
    found = samples(metrics.page().decode())
    assert found["fairway_gateway_journal_up", ()] == 0
    assert found["fairway_gateway_input_up", (("input", "mqtt"),)] == 0
    assert found["fairway_gateway_sink_up", (("sink", "series"),)] == 0
    assert found["fairway_gateway_sink_running", (("sink", "series"),)] == 1
    dead = {k: v for k, v in found.items() if k[0] == "fairway_gateway_dead_letters_total"}
    assert len(dead) == LABELS_MAX + 1
    assert sum(dead.values()) == 505, "nothing is left out of the sum"
    events = [k for k in found if k[0] == "fairway_gateway_events_total"]
    assert len(events) <= 4 * LABELS_MAX + 1
    # What had its own name keeps it, whatever comes later.
    again = samples(metrics.page().decode())
    assert {k for k in again if "dead" in k[0]} == set(dead)


def test_health_follows_the_committing_thread(serve, monkeypatch):
    monkeypatch.setattr(operation, "HEALTHY_S", 0.4)
    server, held = serve()
    assert get(server, "/healthz")[:2] == (200, "ok\n")
    wait_for("its illness", lambda: get(server, "/healthz")[0] == 503, 5)
    assert "has not come round" in get(server, "/healthz")[1]
    assert get(server, "/readyz")[0] == 503
    held["beat_s"] = time.monotonic()
    assert get(server, "/healthz")[0] == 200


def test_readiness_names_what_is_missing_and_a_store_that_is_down_is_a_note(serve):
    server, held = serve()
    assert get(server, "/readyz")[:2] == (200, "ready\n")
    time.sleep(0.6)
    down = SinkStatus("series", True, 40, 0, 3, 0, 0, "connection refused")
    held["status"] = replace(GOOD, sinks=(down, GOOD.sinks[1]))
    code, text, _ = get(server, "/readyz")
    assert (code, text) == (200, "ready\nnote: series: connection refused; 40 rows wait\n")
    time.sleep(0.6)
    dead = replace(down, name="centre", running=False, fault="ended with -9")
    held["status"] = replace(
        GOOD,
        inputs={"mqtt": "not connected", "beidou": ""},
        journal_fault="the disk is full",
        sinks=(dead,),
    )
    code, text, _ = get(server, "/readyz")
    assert code == 503
    assert text.splitlines() == [
        "not ready: mqtt: not connected",
        "not ready: journal: the disk is full; nothing is acknowledged",
        "not ready: centre: its process does not run: ended with -9",
    ]


def test_a_status_that_fails_costs_one_answer(serve, caplog):
    server, held = serve(status=RuntimeError("locked"))
    assert get(server)[0] == 500
    assert get(server, "/healthz")[0] == 200, "health needs no status"
    held["status"] = GOOD
    assert get(server)[0] == 200
    assert "locked" in caplog.text


def test_nothing_else_is_there(serve):
    server, _ = serve()
    code, text, _ = get(server, "/")
    assert code == 404
    assert "/readyz" in text
    for request, answer in [
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /healthz HTTP/1.1\r\n\r\n", b"200"),
        (b"HEAD /healthz HTTP/1.0\r\n\r\n", b"200"),
        (b"GET /healthz?x=1 HTTP/1.1\n\n", b"200"),
        (b"\x16\x03\x01\x00\xa5\x01\r\n\r\n", b"400"),
        (b"GET\r\n\r\n", b"400"),
        (b"GET /" + b"x" * 20_000, b"431"),
    ]:
        with socket.create_connection(("127.0.0.1", server.port), 5) as s:
            s.sendall(request)
            assert s.recv(100).split()[1] == answer, request
            if request.startswith(b"HEAD"):
                assert s.recv(1000).partition(b"\r\n\r\n")[2] == b""


def test_slow_and_silent_clients_keep_nobody_waiting(serve):
    server, _ = serve()
    crowd = [socket.create_connection(("127.0.0.1", server.port), 5) for _ in range(100)]
    for s in crowd[::2]:
        s.sendall(b"GET /metr")  # and no more
    began = time.monotonic()
    for _ in range(5):
        assert get(server, "/healthz")[0] == 200
    assert time.monotonic() - began < 2
    # The crowd itself was cut down to the bound.
    ended = 0
    for s in crowd[:40]:
        s.settimeout(0.01)
        try:
            ended += s.recv(1) == b""
        except TimeoutError:
            pass
        except ConnectionResetError:
            ended += 1
    assert ended == 40
    for s in crowd:
        s.close()


def test_a_client_that_never_reads_or_trickles_is_cut_off(serve, monkeypatch):
    monkeypatch.setattr(answering, "LIFE_S", 0.5)
    big = replace(GOOD, inputs={f"input-{n}": "" for n in range(60)})
    server, _ = serve(status=big)
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        s.connect(("127.0.0.1", server.port))
        began = time.monotonic()
        try:
            while time.monotonic() - began < 5:
                s.sendall(b"x")
                time.sleep(0.1)
        except OSError:
            pass
        assert time.monotonic() - began < 3
    assert get(server)[0] == 200
    assert threading.active_count() < 20


def test_a_port_in_use_is_a_warning_and_is_had_later(serve, caplog, monkeypatch):
    monkeypatch.setattr(answering, "_AGAIN_S", 0.2)
    port = free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        server, _ = serve(listen=f"127.0.0.1:{port}")
        assert server.port == 0
        assert "[operation] listen" in caplog.text
    wait_for("the port", lambda: server.port == port, 5)
    assert get(server, "/healthz")[0] == 200


def test_no_listen_no_pages(serve):
    server, _ = serve(listen="")
    assert server.port == 0
    server.stop()


def test_systemd_is_told(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(operation, "_TELL_S", 0.0)
    monkeypatch.setattr(operation, "_TURN_S", 0.05)
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(0.3)

        def said(least):
            out = []
            end = time.monotonic() + 3
            while time.monotonic() < end and not least <= set(out):
                try:
                    out.append(manager.recv(1000).decode())
                except TimeoutError:
                    continue
            return out

        environ = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "300000"}
        server, held = serve(listen="", environ=environ)
        good = "STATUS=100 records, series 3 behind, centre 0 behind"
        early = said({good})
        assert good in early
        assert "READY=1" not in early, "not before the first turn"
        held["beat_s"] = time.monotonic()
        assert {"READY=1", "WATCHDOG=1"} <= set(said({"READY=1", "WATCHDOG=1"}))
        time.sleep(0.6)
        held["status"] = replace(GOOD, inputs={"mqtt": "not\nconnected"})
        assert "STATUS=mqtt: not connected" in said({"STATUS=mqtt: not connected"})
        # A thread that does not come round any more gets no more grace.
        monkeypatch.setattr(operation, "HEALTHY_S", 0.0)
        monkeypatch.setattr(operation, "_TELL_S", 1e9)
        time.sleep(0.2)
        manager.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                manager.recv(1000)
        time.sleep(0.4)
        manager.settimeout(0.3)
        server.stop()
        assert said({"STOPPING=1"}) == ["STOPPING=1"]


def test_a_real_gateway_under_a_service_manager(tmp_path):
    """READY though there is no broker yet; health, readiness and metrics; an end in order."""
    pages = free_port()
    config = tmp_path / "gateway.toml"
    config.write_text(
        f"""
data = "data"
[broker]
port = {free_port()}
[operation]
listen = "127.0.0.1:{pages}"
log = "json"
"""
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "3000000"}
        log = tmp_path / "log"
        with process(gateway_command(config), log, environ) as gateway:
            said = {manager.recv(1000)}
            while not {b"READY=1", b"WATCHDOG=1"} <= said:
                said.add(manager.recv(1000))
            page = type("Page", (), {"port": pages})
            assert get(page, "/healthz")[0] == 200
            code, text, _ = get(page, "/readyz")
            assert code == 503
            assert text.startswith("not ready: mqtt: ")
            seen, _ = check._pages(f"127.0.0.1:{pages}")
            assert seen.level == "warning"
            assert "the gateway that runs says: not ready: mqtt: " in seen.what
            found = samples(get(page)[1])
            assert found["fairway_gateway_input_up", (("input", "mqtt"),)] == 0
            assert found["fairway_gateway_journal_up", ()] == 1
            wait_for("the sink", lambda: 'sink_running{sink="series"} 1' in get(page)[1], 10)
            assert gateway.stop() == 0
        manager.settimeout(0.1)
        while b"STOPPING=1" not in said:
            said.add(manager.recv(1000))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert any("no broker" in line["message"] for line in lines)


def test_units_are_as_systemd_wants_them(tmp_path):
    if find("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (Debian package systemd)")
    units = sorted(UNITS.glob("*.service"))
    assert units
    for unit in units:
        # What the units start is not installed on this machine: something that is stands for it.
        text = re.sub(
            r"^(Exec\w+=)\S+", rf"\1{find('true')}", unit.read_text(), flags=re.MULTILINE
        )
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit.name) for unit in units)],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [
        line for line in done.stderr.splitlines() if str(tmp_path) in line or "fairway" in line
    ]
    assert (done.returncode, said) == (0, []), done.stderr


@pytest.mark.parametrize("command", [GatewayCommand(), CentreCommand()], ids=lambda c: c.name)
def test_units_start_commands_that_exist(command):
    text = (UNITS / f"fairway-{command.name}.service").read_text()
    program, name, *words = re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)[1].split()
    assert (Path(program).name, name) == ("fairway", command.name)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    args = parser.parse_args(words)
    assert (args.action, str(args.config)) == ("run", f"/etc/fairway/{command.name}.toml")


# Logs.


@pytest.fixture
def logger():
    """Give a logger with a bounded handler of its own, and leave the root alone."""
    made = []

    def make(formatter):
        stream = io.StringIO()
        handler = logs.BoundedHandler(stream)
        handler.setFormatter(formatter)
        log = logging.getLogger("gateway.test")
        log.setLevel(logging.INFO)
        log.propagate = False
        log.addHandler(handler)
        made.append(handler)
        return log, stream, handler

    yield make
    for handler in made:
        logging.getLogger("gateway.test").removeHandler(handler)
        handler.close()


def test_json_lines(logger):
    log, stream, _ = logger(logs.JSONFormatter())
    log.warning("浮标 %s 灭灯", "buoy-1", extra={"device": "buoy-1", "odd": {1, 2}})
    try:
        raise ValueError("no\nsuch")
    except ValueError:
        log.exception("failed")
    first, second = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["ts"])
    assert first["message"] == "浮标 buoy-1 灭灯"
    assert (first["level"], first["logger"], first["device"]) == (
        "warning",
        "gateway.test",
        "buoy-1",
    )
    assert first["odd"] == "{1, 2}"
    assert "ValueError: no\nsuch" in second["exception"]


def test_text_has_one_line_whatever_a_device_says(logger):
    log, stream, _ = logger(logs.TextFormatter())
    log.warning("topic %s", "fw/1\n2026-01-01 ERROR forged\x1b[2J" + "x" * 10_000)
    (line,) = stream.getvalue().splitlines()
    assert "\\n2026" in line
    assert "\x1b" not in line
    assert len(line) < logs.TEXT_MAX + 200


def test_a_day_without_a_store_does_not_fill_a_disk(logger, monkeypatch):
    log, stream, _ = logger(logs.TextFormatter())
    now = [0.0]
    monkeypatch.setattr(logs.time, "monotonic", lambda: now[0])
    for _ in range(86_400 // 15):
        log.warning("%s; again in %.1f s", "http://127.0.0.1:8428: NewConnectionError", 15.0)
        now[0] += 15
    lines = stream.getvalue().splitlines()
    assert "NewConnectionError" in lines[0]
    assert "(and 3 more like it)" in lines[1]
    assert len(lines) <= 2 * 24 * 60 + 2
    assert len(stream.getvalue()) < 500_000


def test_many_texts_of_one_kind_are_bounded_and_counted(logger, monkeypatch):
    log, stream, handler = logger(logs.TextFormatter())
    monkeypatch.setattr(logs.time, "monotonic", lambda: 5.0)
    for n in range(10_000):
        log.warning("a message of %s is refused", f"dev-{n}")
        if n == 5000:
            log.warning("another kind")
    lines = stream.getvalue().splitlines()
    assert len(lines) == logs.KIND_MAX + 1
    assert any("another kind" in line for line in lines), "one kind does not hide another"
    handler.close()
    told = stream.getvalue().splitlines()[-1]
    assert f"(and {10_000 - logs.KIND_MAX} more like it)" in told


def test_what_comes_and_goes_is_written_each_time_but_not_for_ever(logger, monkeypatch):
    log, stream, _ = logger(logs.TextFormatter())
    monkeypatch.setattr(logs.time, "monotonic", lambda: 5.0)
    for _ in range(3):
        log.warning("disconnected from the broker")
        log.info("connected to the broker")
    assert len(stream.getvalue().splitlines()) == 6
    for _ in range(1000):
        log.warning("disconnected from the broker")
        log.info("connected to the broker")
    assert len(stream.getvalue().splitlines()) <= 3 * logs.KIND_MAX


def test_good_news_comes_each_time(logger):
    log, stream, _ = logger(logs.TextFormatter())
    for _ in range(3):
        log.info("connected to the broker, session kept")
    assert len(stream.getvalue().splitlines()) == 3


def test_set_up_in_a_process_of_its_own():
    code = (
        "import logging; from gateway.operation import logs; logs.set_up('json');"
        "logging.getLogger('a').info('x'); logging.getLogger('a').debug('y')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["message"] == "x"
