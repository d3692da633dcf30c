"""A device is stolen while everything runs: `fairway gateway revoke`, and what becomes of it.

Issue 5's acceptance of revocation. The broker is a real mosquitto that speaks TLS only, with passwords or
certificates; the devices are the real agent; the thief goes on sending with all that the device has.
"""

import os
import socket
import ssl
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from agent.link import supervisor as s
from agent.wire import decode, messages
from gateway.access.revocation import read
from gateway.journal.reading import JournalReader
from simulators.sensors.rdss import Card
from tests.chain import stores
from tests.chain import test_beidou as sky_bench
from tests.chain.fleet import Burst, Device, Fleet
from tests.chain.processes import (
    GATEWAY_ENV,
    centre,
    free_port,
    gateway_command,
    process,
    wait_for,
)
from tests.chain.sky import Sky
from tests.chain.tls_broker import gateway_config, tls_broker

STOLEN, OTHER = "buoy-1", "buoy-2"
RATE = 20  # records a second from each
RELOAD_S = 1  # the broker hears of it so much later: what comes till then is what is kept apart


def fairway(config, *words):
    """Run `fairway gateway …`; return its code and what it said."""
    command = [sys.executable, "-m", "toolkit", "gateway", *words, "--config", str(config)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | GATEWAY_ENV,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def states(said):
    return {line[:13].strip(): line[13:29].strip() for line in said.splitlines()}


def look(folder):
    """Return the journal's rows and the dead letters of reason `revoked`."""
    reader = JournalReader(folder / "gateway" / "journal.sqlite")
    rows, letters = reader.records(0, 1_000_000), reader.dead_letters.find(reason="revoked")
    reader.close()
    return rows, [kept.letter for kept in letters]


def told(folder, config, url):
    """Let the gateway hand on to a centre as well, and the broker hear of it late by RELOAD_S."""
    text = config.read_text()
    text = text.replace('reload = "kill', f"reload = \"sh -c 'sleep {RELOAD_S}; kill")
    text = text.rstrip().removesuffix('"') + "'\"\n"
    config.write_text(f'{text}[series]\nurl = "sqlite:{folder}/series"\n[centre]\nurl = "{url}"\n')


def identities(device):
    return {(device.name, boot, seq) for boot, seq in device.ledger}


def stored(folder):
    return stores.sqlite_series(folder / "series") + stores.centre_events(folder / "centre")


@pytest.mark.parametrize(
    ("who", "home"),
    [
        ("passwords", False),
        ("certificates", False),
        pytest.param("passwords", True, marks=pytest.mark.prove),  # waits for what is sent again
    ],
)
def test_a_stolen_device(who, home, tmp_path, capsys):
    with ExitStack() as stack:
        broker = stack.enter_context(tls_broker(tmp_path / "broker", who, [STOLEN, OTHER]))
        config = gateway_config(tmp_path, broker)
        url, _ = stack.enter_context(centre(tmp_path, f"sqlite:{tmp_path}/series"))
        told(tmp_path, config, url)
        log = tmp_path / "gateway.log"
        stack.enter_context(process(gateway_command(config), log, GATEWAY_ENV))
        wait_for("the gateway", lambda: b"connected to the broker" in log.read_bytes())
        stolen, other = (
            Device(name, tmp_path / name, broker.port, Burst(RATE)) for name in (STOLEN, OTHER)
        )
        for device in (stolen, other):
            device.agent.link.use(broker.access(device.name))
        fleet = stack.enter_context(Fleet([stolen, other]))
        for device in (stolen, other):
            wait_for(f"records of {device.name}", lambda n=device.name: has_records(tmp_path, n))

        code, said = fairway(
            config, "revoke", STOLEN, "--who", "ops", "--reason", "gone from its place"
        )
        ended_ms = time.time_ns() // 1_000_000
        assert code == 0, said
        assert set(states(said).values()) <= {"done", "not configured"}
        assert states(said)["password" if who == "passwords" else "certificate"] == "done"
        assert states(said)["connection"] == "done"
        revoked_ms = read(tmp_path / "gateway")[STOLEN].at_s * 1000

        # It is cut, and cannot come back.
        wait_for("the cut", lambda: stolen.agent.link.state != s.UP, 5)
        cut_s = (time.time_ns() // 1_000_000 - ended_ms) / 1000
        refused = "not authorised" if who == "passwords" else "certificate revoked"
        wait_for("the refusal", lambda: refused in (stolen.agent.link.last_error or ""), 20)
        connects = stolen.agent.link.connects
        time.sleep(1)
        assert stolen.agent.link.connects == connects
        assert stolen.agent.link.state != s.UP

        # What it got through after the moment lies apart, whole; what came before is where it was.
        rows, letters = look(tmp_path)
        mine = [row for row in rows if row.device == STOLEN]
        assert mine
        assert max(row.received_ms for row in mine) <= revoked_ms + 2000
        assert letters, "nothing came between the gateway's refusal and the broker's"
        assert {letter.device for letter in letters} == {STOLEN}
        apart = {
            (STOLEN, item.boot, item.seq): item.raw
            for letter in letters
            if letter.topic == messages.topic(STOLEN, "up", "rec")
            for item in decode.sequence(letter.raw)
        }
        assert all(raw == stolen.ledger[i[1:]] for i, raw in apart.items())
        taken = {(row.device, row.boot, row.seq) for row in mine}
        new = set(apart) - taken
        assert new

        # Nobody commands it, and the one beside it has noticed nothing.
        (tmp_path / "keys.toml").touch(0o600)
        (tmp_path / "keys.toml").write_text(f'{STOLEN} = "{"11" * 32}"\n')
        code, said = fairway(config, "command", "report", "--device", STOLEN)
        assert code == 1
        assert "revoked" in said
        for device in (stolen, other):
            device.profile.paused = True
        wait_for("the other's records", lambda: not other.agent.outbox.kept, 60)
        wanted = identities(other)
        wait_for("the stores", lambda: wanted <= set(stored(tmp_path)))
        found = stored(tmp_path)
        assert set(found.values()) == {1}
        assert {i for i in found if i[0] == OTHER} <= identities(other)
        assert {i for i in found if i[0] == STOLEN} <= taken
        assert not new & set(found)
        assert other.agent.link.connects == 1
        with capsys.disabled():
            print(
                f"\n{who}: {len(taken)} records before, {len(letters)} messages with {len(new)} new"
                f" records kept apart, {len(stolen.ledger) - len(taken | new)} never sent; cut"
                f" {cut_s:.1f} s after the command, {stolen.agent.link.errors} attempts since"
            )
        if home:
            it_comes_home(tmp_path, config, broker, stolen, other, fleet)
        assert "Traceback" not in log.read_text()


def it_comes_home(folder, config, broker, stolen, other, fleet):
    """Taken in again with a new password: what it kept, and what was kept apart, is not lost."""
    code, said = fairway(config, "revoke", STOLEN, "--undo", "--who", "ops")
    assert code == 0
    # The key was written after the revocation: as if it was commissioned anew.
    assert "commission it anew" not in said
    subprocess.run(
        ["mosquitto_passwd", "-b", broker.folder / "passwords", STOLEN, "its-new-one"],
        check=True, capture_output=True,
    )  # fmt: skip
    broker.reload()
    code, said = fairway(config, "dead-letters", "replay", "--reason", "revoked")
    assert code == 0, said
    stolen.agent.link.use(broker.access(STOLEN) | {"password": "its-new-one"})
    fleet.settle(60)
    wanted = identities(stolen) | identities(other)
    wait_for("everything", lambda: wanted <= set(stored(folder)))
    found = stored(folder)
    assert set(found) == wanted
    assert set(found.values()) == {1}
    code, said = fairway(config, "audit", "--device", STOLEN)
    assert "ops  revoked: gone from its place" in said
    assert "ops  taken in again" in said


def has_records(folder, name):
    return any(row.device == name for row in look(folder)[0])


def test_a_stolen_card(tmp_path):
    """By satellite: the thief has buoy, card and key, and nothing else reaches the shore."""
    with ExitStack() as stack:
        sky = stack.enter_context(Sky(seed=3, speed=100))
        shore = sky.terminal("3.0", Card(sky_bench.SHORE, 0, 4))
        terminals = {
            name: sky.terminal("3.0", Card(card, 5, 3), seed=card)
            for name, card in sky_bench.CARDS.items()
        }
        config = sky_bench.beidou_config(tmp_path, free_port(), shore)
        log = tmp_path / "gateway.log"
        stack.enter_context(process(gateway_command(config), log, GATEWAY_ENV))
        wait_for("the gateway's card", lambda: b"BeiDou terminal" in log.read_bytes())
        buoys = {
            name: sky_bench.Buoy(name, tmp_path / name, sky, terminals[name])
            for name in (STOLEN, OTHER)
        }
        stack.enter_context(sky_bench.Flotilla(list(buoys.values())))
        for buoy in buoys.values():
            buoy.make(*sky_bench.alarm(1))
        for buoy in buoys.values():
            wait_for("its acknowledgement", lambda b=buoy: b.ledger and not b.outbox.kept)
        taken = {(row.device, row.seq) for row in look(tmp_path)[0]}
        assert {name for name, _ in taken} == {STOLEN, OTHER}

        code, said = fairway(config, "revoke", STOLEN)
        assert code == 0, said
        wait_for("the gateway", lambda: b"buoy-1 is revoked" in log.read_bytes())
        before = list(sky.network.carried)
        for buoy in buoys.values():
            for n in range(3):
                buoy.make(*sky_bench.alarm(n % 2))
        # A frame that was recorded when all was well is played again, too.
        played = next(frame for frame in before if frame[0] == sky_bench.CARDS[STOLEN])

        async def play():
            sky.network.accept(*played)

        sky.run(play())
        wait_for("the other's acknowledgements", lambda: not buoys[OTHER].outbox.kept, 60)
        wait_for("what is kept apart", lambda: len(look(tmp_path)[1]) >= 3, 60)
        rows, letters = look(tmp_path)
        assert {(row.device, row.seq) for row in rows if row.device == STOLEN} == {
            one for one in taken if one[0] == STOLEN
        }
        assert {row.seq for row in rows if row.device == OTHER} == set(buoys[OTHER].ledger)
        made = set(buoys[STOLEN].ledger.values())
        assert {letter.device for letter in letters} == {STOLEN}
        assert {item.raw for one in letters for item in decode.sequence(one.raw)} <= made
        assert any(letter.raw in played[2] for letter in letters)
        # Nothing is said to it any more, and it keeps what it could not hand over.
        down = [
            to for sender, to, _ in sky.network.carried[len(before) :] if sender == sky_bench.SHORE
        ]
        assert set(down) == {sky_bench.CARDS[OTHER]}
        assert buoys[STOLEN].outbox.kept


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_of_before_is_not_resumed(version, tmp_path):
    """A resumed TLS session shows no certificate: it must not outlive its revocation."""
    with tls_broker(tmp_path / "broker", "certificates", [STOLEN]) as broker:
        config = gateway_config(tmp_path, broker)
        (tmp_path / "gateway").mkdir()
        context = ssl.create_default_context(cadata=broker.ca.cert)
        context.minimum_version = context.maximum_version = version
        files = [broker.folder / "certificates" / f"{STOLEN}{end}" for end in (".pem", ".key")]
        context.load_cert_chain(*files)
        session = connect(context, broker.port)[1]
        answer, session, resumed = connect(context, broker.port, session)
        assert (answer, resumed) == (CONNACK, True)
        code, said = fairway(config, "revoke", STOLEN)
        assert (code, states(said)["connection"]) == (0, "done"), said
        for again in (session, None):
            with pytest.raises(ssl.SSLError):
                connect(context, broker.port, again)


CONNACK = b"\x20\x02\x00\x00"


def connect(context, port, session=None):
    """Say CONNECT; return the answer, the TLS session and whether it was an old one."""
    name = STOLEN.encode()
    body = b"\x00\x04MQTT\x04\x02\x00\x14" + len(name).to_bytes(2, "big") + name
    with (
        socket.create_connection(("127.0.0.1", port), 5) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as secure,
    ):
        secure.sendall(bytes([0x10, len(body)]) + body)
        answer = secure.recv(4)
        if not answer:
            raise ssl.SSLEOFError("closed")
        return answer, secure.session, secure.session_reused
