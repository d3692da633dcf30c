"""The desk against the device's own judgement, in simulated time, on a link that loses things."""

import ast
import hashlib
import hmac
import random
import sqlite3
from pathlib import Path

import cbor2
import pytest

from agent.link.commands import Commands
from agent.wire import frame
from agent.wire import messages as m
from agent.wire.series import EPOCH_2020
from gateway.down import orders as o
from gateway.down import verbs
from gateway.down.commands import Desk, DeskThread, signed
from gateway.down.keys import KeysError
from tests.chain.processes import wait_for
from toolkit import cli

KEY = bytes(range(32))
START_MS = 1_795_000_000_000
MINUTE_MS = 60_000
CLOSE_AT_ONCE = 0x1C


class Files:
    """Just enough of a device's flash."""

    def __init__(self):
        self.data = {}

    def read(self, name):
        return self.data.get(name)

    def replace(self, name, data):
        self.data[name] = bytes(data)


class Device:
    """A device's commands behind a link; counts what it did."""

    def __init__(self, name, now_ms, key=KEY):
        self.name = name
        self.key = key
        self.files = Files()
        self.rng = random.Random(name)
        self.did = []
        self.known = True
        self.slow_ms = 0
        self.start(now_ms)

    def start(self, now_ms):
        self.born_ms = now_ms
        self.now_ms = now_ms
        actions = {verb: self.action(verb) for verb in (m.REPORT, m.RELAY_TRIP, m.REBOOT)}
        self.commands = Commands(
            self.files, self.name, self.key, self, self.rng.randbytes, actions
        )

    def action(self, verb):
        def act(_arguments, now_ms):
            self.did.append(verb)
            done = (m.RESULT_DONE, cbor2.dumps([0, None]))
            if not self.slow_ms:
                return done
            until_ms = now_ms + self.slow_ms
            return lambda now_ms: done if now_ms >= until_ms else None

        return act

    def t(self):
        return self.now_ms // 1000 - EPOCH_2020 if self.known else -1 - self.uptime_s()

    def uptime_s(self):
        return (self.now_ms - self.born_ms) // 1000

    def take(self, payload):
        """Return the answer to a payload, or None."""
        up_ms = self.now_ms - self.born_ms
        message = m.read_cmd_down(payload, 0, len(payload))
        if message[0] == m.NONCE:
            return bytes(self.commands.ask_nonce(message[1], up_ms))
        answer = self.commands.take(message, payload, 0, len(payload), up_ms)
        return None if answer is None else bytes(answer)

    def later(self):
        answer = self.commands.next_answer(self.now_ms - self.born_ms)
        return None if answer is None else bytes(answer)


class Harness:
    """A desk, a device and the air between them; `lose` is the share of messages that it swallows."""

    def __init__(self, folder: Path):
        self.now_ms = START_MS
        self.folder = folder
        self.orders = o.Orders(folder / "commands.sqlite")
        self.keys = {"pile-1": KEY}
        self.device = Device("pile-1", self.now_ms)
        self.down = []
        self.sent = []
        self.lose = 0.0
        self.twice = False
        self.rng = random.Random(3)
        self.start()

    def start(self):
        """Start the gateway, again if it was killed."""
        self.desk = Desk(self.orders, lambda: self.keys, self.send)

    def send(self, device, payload):
        assert device == "pile-1"
        self.sent.append(payload)
        self.down.append(payload)

    def order(self, verb, within_s=120):
        return self.orders.add("pile-1", verb, b"", "tester", within_s, self.now_ms)

    def up(self, payload):
        if payload is not None and self.rng.random() >= self.lose:
            for _ in range(2 if self.twice else 1):
                self.desk.take("pile-1", m.read_cmd_up(payload), self.now_ms)

    def run(self, seconds):
        for _ in range(seconds * 4):
            self.now_ms += 250
            self.device.now_ms = self.now_ms
            self.desk.poll(self.now_ms)
            while self.down:
                payload = self.down.pop(0)
                if self.rng.random() >= self.lose:
                    for _ in range(2 if self.twice else 1):
                        self.up(self.device.take(payload))
            self.up(self.device.later())

    def state(self, number):
        order = self.orders.get(number)
        return order.state, order.result


@pytest.fixture
def harness(tmp_path):
    return Harness(tmp_path)


def test_a_plain_command_and_one_with_a_nonce(harness):
    plain = harness.order(m.REPORT)
    dangerous = harness.order(m.RELAY_TRIP)
    harness.run(2)
    assert harness.state(plain) == (o.ANSWERED, m.RESULT_DONE)
    assert harness.state(dangerous) == (o.ANSWERED, m.RESULT_DONE)
    assert harness.orders.get(dangerous).detail == cbor2.dumps([0, None])
    assert harness.device.did == [m.REPORT, m.RELAY_TRIP]
    assert len(harness.sent) == 3
    assert harness.orders.get(dangerous).id > harness.orders.get(plain).id


@pytest.mark.parametrize("seed", range(20))
def test_a_link_that_loses_half_and_doubles_the_rest(harness, seed):
    harness.lose = 0.5
    harness.twice = True
    harness.rng = random.Random(seed)
    numbers = [harness.order(m.RELAY_TRIP, 600) for _ in range(3)]
    harness.run(700)
    results = [harness.state(number) for number in numbers]
    done = sum(result == (o.ANSWERED, m.RESULT_DONE) for result in results)
    assert done >= 1
    # Stale: a later one overtook it. Never is one done twice, nor is an undone one called done.
    assert all(result[1] in {m.RESULT_DONE, m.RESULT_STALE} for result in results)
    assert len(harness.device.did) == done


def test_a_device_that_is_away_gets_it_when_it_is_back_in_time(harness):
    harness.lose = 1
    number = harness.order(m.RELAY_TRIP, 600)
    harness.run(300)
    assert harness.state(number) == (o.ASKING, None)
    assert len(harness.sent) < 15
    harness.lose = 0
    harness.run(61)
    assert harness.state(number) == (o.ANSWERED, m.RESULT_DONE)


def test_a_device_that_stays_away_is_not_reached_and_will_not_be_later(harness):
    harness.lose = 1
    plain, dangerous = harness.order(m.REPORT), harness.order(m.RELAY_TRIP)
    harness.run(130)
    assert harness.state(dangerous) == (o.UNREACHED, None)
    assert harness.state(plain) == (o.SENT, None)
    harness.run(300)
    assert harness.state(plain) == (o.UNANSWERED, None)
    harness.lose = 0
    harness.run(120)
    assert harness.device.did == []


def test_a_late_answer_still_counts(harness):
    number = harness.order(m.REPORT)
    harness.lose = 1
    harness.run(300)
    assert harness.state(number) == (o.UNANSWERED, None)
    answer = m.put_done(buf := bytearray(32), harness.orders.get(number).id, m.RESULT_DONE, b"")
    harness.lose = 0
    harness.up(bytes(buf[:answer]))
    assert harness.state(number) == (o.ANSWERED, m.RESULT_DONE)


def test_a_device_without_a_clock(harness):
    harness.device.known = False
    number = harness.order(m.REPORT)
    harness.run(3)
    assert harness.state(number) == (o.ANSWERED, m.RESULT_DONE)
    said = [row.detail for row in harness.orders.audit(20)]
    assert "no-clock" in said


def test_a_device_that_restarts_before_the_command_gets_a_fresh_nonce(harness):
    number = harness.order(m.RELAY_TRIP)
    harness.now_ms += 250
    harness.desk.poll(harness.now_ms)
    harness.up(harness.device.take(harness.down.pop(0)))  # the nonce
    harness.device.start(harness.now_ms)
    harness.run(3)
    assert harness.state(number) == (o.ANSWERED, m.RESULT_DONE)
    assert harness.device.did == [m.RELAY_TRIP]


def test_a_device_that_restarts_in_the_middle(harness):
    harness.device.slow_ms = 10_000
    trip = harness.order(m.RELAY_TRIP)
    harness.run(2)
    harness.device.start(harness.now_ms)
    harness.run(5)
    assert harness.state(trip) == (o.ANSWERED, m.RESULT_INTERRUPTED)
    assert harness.device.did == [m.RELAY_TRIP]


def test_busy_means_a_little_later(harness):
    harness.device.slow_ms = 10_000
    first, second = harness.order(m.RELAY_TRIP), harness.order(m.REBOOT)
    harness.run(60)
    assert [harness.state(n) for n in (first, second)] == [(o.ANSWERED, m.RESULT_DONE)] * 2
    assert harness.device.did == [m.RELAY_TRIP, m.REBOOT]


def test_a_gateway_that_is_killed_goes_on_with_the_same_bytes(harness):
    harness.device.slow_ms = 10_000
    number = harness.order(m.RELAY_TRIP)
    harness.run(2)
    sent = harness.sent[-1]
    harness.start()
    harness.run(15)
    assert harness.state(number) == (o.ANSWERED, m.RESULT_DONE)
    assert harness.sent[-1] == sent
    assert harness.device.did == [m.RELAY_TRIP]


def test_a_wrong_key_and_no_key(harness):
    harness.keys["pile-1"] = bytes(32)
    number = harness.order(m.REPORT)
    harness.run(2)
    assert harness.state(number) == (o.ANSWERED, m.RESULT_BAD_TAG)
    harness.keys.clear()
    number = harness.order(m.REPORT)
    harness.run(2)
    assert harness.state(number) == (o.UNREACHED, None)
    assert "no key of pile-1" in harness.orders.audit(1)[0].detail
    harness.desk._keys = lambda: raising(KeysError("keys.toml: others may read it"))
    number = harness.order(m.REPORT)
    harness.run(2)
    assert harness.state(number) == (o.UNREACHED, None)
    assert harness.device.did == []


def raising(error):
    raise error


def test_answers_nobody_asked_for_change_nothing(harness, caplog):
    number = harness.order(m.REPORT)
    harness.run(2)
    n = m.put_done(buf := bytearray(32), 77, m.RESULT_DONE, b"")
    harness.up(bytes(buf[:n]))
    assert "never sent" in caplog.text
    n = m.put_done(buf, harness.orders.get(number).id, m.RESULT_FAILED, b"")
    harness.up(bytes(buf[:n]))
    assert harness.state(number) == (o.ANSWERED, m.RESULT_DONE)
    n = m.put_nonce(buf, 1, b"12345678", 5)
    harness.up(bytes(buf[:n]))


def test_ids_rise_even_when_the_clock_falls(harness):
    first = harness.order(m.REPORT)
    harness.run(2)
    harness.now_ms -= 1000 * MINUTE_MS
    harness.device.known = False
    second = harness.order(m.REPORT)
    harness.desk.poll(harness.now_ms)
    assert harness.orders.get(second).id == harness.orders.get(first).id + 1


def test_the_audit_tells_all_and_is_only_added_to(harness):
    number = harness.order(m.RELAY_TRIP)
    harness.run(2)
    rows = harness.orders.audit(20, "pile-1")
    assert [row.what for row in rows] == ["ordered", "nonce asked", "sent", "answered"]
    assert {row.who for row in rows} == {"tester"}
    assert {row.number for row in rows} == {number}
    assert rows[-1].detail == "done, detail 8200f6"
    assert harness.orders.audit(20, "pile-2") == []
    db = sqlite3.connect(harness.folder / "commands.sqlite")
    for query in ("DELETE FROM audit", "UPDATE audit SET who = 'nobody'"):
        with pytest.raises(sqlite3.IntegrityError, match="only added to"):
            db.execute(query)
    db.close()
    assert (harness.folder / "commands.sqlite").stat().st_mode & 0o077 == 0


def test_new_credentials_do_not_stay_behind(harness):
    text = b'{"password": "very-secret-indeed"}'
    number = harness.orders.add("pile-1", m.ACCESS, text, "tester", 120, harness.now_ms)
    harness.run(2)
    assert harness.state(number) == (o.ANSWERED, m.RESULT_UNSUPPORTED)
    order = harness.orders.get(number)
    assert (order.arguments, order.payload) == (b"", b"")
    assert hashlib.sha256(text).hexdigest() in harness.orders.audit(20)[0].detail
    harness.orders.close()
    for path in harness.folder.iterdir():
        assert b"very-secret-indeed" not in path.read_bytes()


def test_a_device_off_the_link_is_commanded_by_short_message(harness):
    """MQTT loses everything; what goes by satellite arrives, ten seconds late."""
    air = []
    harness.desk = Desk(
        harness.orders, lambda: harness.keys, harness.send, lambda _, payload: air.append(payload)
    )
    harness.lose = 1
    number = harness.order(m.RELAY_TRIP, 900)
    sent = 0
    for _ in range(60):
        harness.run(10)
        while air:
            sent += 1
            answer = harness.device.take(air.pop(0))
            if answer:
                harness.desk.take("pile-1", m.read_cmd_up(answer), harness.now_ms)
    assert harness.state(number) == (o.ANSWERED, m.RESULT_DONE)
    assert harness.device.did == [m.RELAY_TRIP]
    assert sent == 2  # the question, the order
    assert len(harness.orders.get(number).payload) <= frame.BODY_MAX
    # Nobody answers: the satellites are not kept busy.
    harness.order(m.RELAY_TRIP, 900)
    harness.run(900)
    assert len(air) == 5


def test_an_order_that_no_gateway_took_up_can_be_withdrawn(harness):
    number = harness.order(m.REPORT)
    order = harness.orders.get(number)
    assert harness.orders.withdraw(order, harness.now_ms, "no gateway runs")
    harness.run(2)
    assert harness.device.did == []
    number = harness.order(m.REPORT)
    order = harness.orders.get(number)
    harness.run(1)
    assert not harness.orders.withdraw(order, harness.now_ms, "no gateway runs")
    assert harness.state(number) == (o.ANSWERED, m.RESULT_DONE)


def test_signed_is_what_the_vectors_say():
    """The contract's vector of a command, made by the gateway's own function."""
    from agent.wire import vectors

    by_hand = vectors.signed_command(9, m.REPORT, 217000600, None, b"")
    ours = signed(vectors.VECTOR_KEY, vectors.VECTOR_DEVICE, 9, m.REPORT, 217000600, None, b"")
    assert ours == by_hand
    # And by Python's own hmac, as docs/commands.md has it.
    part, tag = ours[:-17], ours[-16:]
    text = b"fw1-cmd" + bytes([len(vectors.VECTOR_DEVICE)]) + vectors.VECTOR_DEVICE.encode() + part
    assert hmac.new(vectors.VECTOR_KEY, text, "sha256").digest()[:16] == tag


def test_the_thread_outlives_a_file_that_is_taken_away(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.down.commands._OPEN_AGAIN_S", 0.2)
    (tmp_path / "commands.sqlite").mkdir()
    keys = tmp_path / "keys.toml"
    keys.write_text(f'pile-1 = "{KEY.hex()}"\n')
    keys.chmod(0o600)
    sent = []
    thread = DeskThread(tmp_path / "commands.sqlite", keys, lambda *sending: sent.append(sending))
    thread.take("pile-1", (m.DO, 1, 0, b""))
    thread.start()
    try:
        (tmp_path / "commands.sqlite").rmdir()
        wait_for("the file", (tmp_path / "commands.sqlite").is_file)
        orders = o.Orders(tmp_path / "commands.sqlite")
        now_ms = 1_000_000 * 1_795_000
        orders.add("pile-1", m.REPORT, b"", "tester", 10**6, now_ms)
        wait_for("the command", lambda: sent)
    finally:
        thread.stop()
    assert sent[0][0] == "pile-1"


def test_no_constant_of_the_agent_closes_a_relay():
    """1Ch is the function of an order, once, and nowhere an order itself (reference/shore-power.md)."""
    import agent.meter

    found = []
    for path in Path(agent.meter.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant):
                if node.value == CLOSE_AT_ONCE:
                    found.append((path.name, node.lineno))
                assert not (isinstance(node.value, bytes) and CLOSE_AT_ONCE in node.value)
    ((name, line),) = found
    text = Path(agent.meter.__file__).with_name(name).read_text("utf-8").splitlines()[line - 1]
    assert text == "SWITCH = const(0x1C)"


# --- words -------------------------------------------------------------------------------------


def test_words_become_arguments(tmp_path):
    text = tmp_path / "new.json"
    text.write_text('{"report_s": 60}')
    assert verbs.parse(["report"]) == (m.REPORT, b"")
    assert verbs.parse(["lamp-test"]) == (m.LAMP_TEST, cbor2.dumps([10]))
    assert verbs.parse(["lamp-mode", "off", "60"]) == (m.LAMP_MODE, cbor2.dumps([1, 60]))
    assert verbs.parse(["lamp-mode", "own"]) == (m.LAMP_MODE, cbor2.dumps([0, 0]))
    assert verbs.parse(["settings", str(text)]) == (m.SETTINGS, b'{"report_s": 60}')
    assert verbs.parse(["update", "7"]) == (m.UPDATE, cbor2.dumps([7]))
    assert set(verbs.USAGE) == set(verbs.NUMBERS)


@pytest.mark.parametrize(
    "line",
    [
        [],
        ["relay-close"],
        ["relay-permit", "now"],
        ["lamp-test", "61"],
        ["lamp-test", "0"],
        ["lamp-mode"],
        ["lamp-mode", "off", "721"],
        ["lamp-mode", "own", "5"],
        ["update"],
        ["settings"],
        ["settings", "/nowhere"],
        ["log", "-1"],
    ],
    ids=" ".join,
)
def test_words_that_are_no_command(line):
    with pytest.raises(verbs.VerbError):
        verbs.parse(line)


def test_documents_are_looked_at_before_they_are_sent(tmp_path):
    file = tmp_path / "x.json"
    for text, why in (("{", "not JSON"), (f'"{"x" * 4000}"', "4002 bytes")):
        file.write_text(text)
        with pytest.raises(verbs.VerbError, match=why):
            verbs.parse(["settings", str(file)])


def test_details_become_words():
    cases = [
        (m.RELAY_TRIP, m.RESULT_DONE, [0, None], "the relay is open"),
        (m.RELAY_TRIP, m.RESULT_REFUSED, [1, 4], "the meter's error 04; the relay is closed"),
        (m.LAMP_TEST, m.RESULT_DONE, [410], "highest current 410 mA"),
        (m.LAMP_MODE, m.RESULT_DONE, [1, 60], "asked to be off until dusk, 60 minutes at most"),
        (m.LOG, m.RESULT_DONE, [700, b"abc"], "3 of 700 bytes"),
    ]
    for verb, result, detail, said in cases:
        assert verbs.explain(verb, result, cbor2.dumps(detail)) == said
    assert verbs.explain(m.SETTINGS, m.RESULT_DONE, b"\1\2\3\4") == "staged, hash 01020304"
    assert verbs.explain(m.SETTINGS, m.RESULT_REFUSED, b"no such key") == "no such key"
    assert verbs.explain(m.RELAY_TRIP, m.RESULT_DONE, b"\xff") == "detail ff"
    assert verbs.explain(m.REPORT, m.RESULT_DONE, b"") == ""


# --- the command line ---------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRWAY_BROKER_PASSWORD", "x")
    (tmp_path / "keys.toml").write_text(f'pile-1 = "{KEY.hex()}"\n')
    (tmp_path / "keys.toml").chmod(0o600)
    path = tmp_path / "gateway.toml"
    path.write_text('data = "data"\nkeys_file = "keys.toml"\n')
    return path


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["--device", "pile-1", "report"], "has this gateway run yet"),
        (["report", "--device", "pile-1"], "has this gateway run yet"),
        (["report"], "no device"),
        (["report", "--device", "PILE"], "no device id"),
        (["--device", "pile-1", "relay-close"], "relay-permit"),
        (["--device", "pile-2", "report"], "no key of pile-2"),
        (["--device", "pile-1", "report", "--within", "0"], "1 to 604800"),
    ],
)
def test_what_the_command_line_says_before_anything_is_sent(config, capsys, line, said):
    assert cli.main(["gateway", "command", *line, "--config", str(config)]) == 1
    assert said in capsys.readouterr().err


def test_a_keys_file_that_others_may_read(config, capsys, tmp_path):
    (tmp_path / "keys.toml").chmod(0o640)
    line = ["gateway", "command", "--config", str(config), "--device", "pile-1", "report"]
    assert cli.main(line) == 1
    assert "chmod 600" in capsys.readouterr().err


def test_no_gateway_runs(config, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.cli.orders._GATEWAY_S", 0.2)
    o.Orders(tmp_path / "data" / "commands.sqlite").close()
    line = ["gateway", "command", "--config", str(config), "--device", "pile-1", "report"]
    assert cli.main(line) == 1
    assert "is it running" in capsys.readouterr().err
    assert cli.main(["gateway", "audit", "--config", str(config)]) == 0
    assert "unreached: no gateway runs" in capsys.readouterr().out
