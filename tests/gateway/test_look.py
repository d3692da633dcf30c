"""What people see of a journal, and what they can do about dead letters, with the gateway up and down."""

import json
import threading

import cbor2
import pytest

from agent.wire import body, messages, schema
from agent.wire.vectors import written_record
from gateway import config as settings
from gateway.accept import Acceptor, Message
from gateway.journal import journal as j
from gateway.journal.deadletters import Letter, Refused
from gateway.journal.reading import JournalReader
from gateway.journal.replay import Replays
from gateway.service import lock
from toolkit.cli import main

NOW = 1_795_000_000_000


def record(seq, schema_id=schema.BEACON, values=(1,), boot=7):
    return written_record(schema_id, list(values), boot=boot, seq=seq, t=217_400_000)


class Gateway:
    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "gateway.toml"
        self.file.write_text('data = "data"\n')
        self.config = settings.load(self.file, {})
        self.config.data.mkdir()
        self.journal = j.Journal(self.config.data / "journal.sqlite")
        self.acceptor = Acceptor(self.journal)

    def take(self, payload, device="buoy-1", kind="rec"):
        topic = messages.topic(device, "up", kind)
        self.acceptor.commit([Message(topic, payload, body.LINK_MQTT, NOW)])
        self.acceptor.count({})

    def say(self, capsys, *words):
        capsys.readouterr()
        code = main(["gateway", *words, "--config", str(self.file)])
        out, err = capsys.readouterr()
        return code, out, err


@pytest.fixture
def gateway(tmp_path):
    one = Gateway(tmp_path)
    one.take(record(0, values=[1, 31_000_000, 122_000_000]) + record(3))
    one.take(record(3))
    one.take(record(4, schema.CLOCK, [50, 1, 500]))
    one.take(b"\xff\x00", device="buoy-2")
    one.take(cbor2.dumps([schema.BEACON, 7, 5, 217_400_000, 1, 95_000_000]))
    return one


def test_accounts_say_what_came_and_what_is_missing(gateway, capsys):
    code, out, _ = gateway.say(capsys, "accounts")
    assert code == 0
    (line,) = [line for line in out.splitlines() if line.startswith("buoy-1")]
    for part in (
        "boot 7",
        "seq 0 to 5",
        "records 4",
        "missing 2",
        "duplicates 1",
        "clock gnss ±500 ms",
    ):
        assert part in line
    assert "gap 1 to 2" in out
    assert "dead_letters: 2" in out
    code, out, _ = gateway.say(capsys, "accounts", "--json", "--device", "buoy-1")
    account, counters = map(json.loads, out.splitlines())
    assert account["gaps"] == [[1, 2]]
    assert counters["records"] == 4


def test_the_journal_shows_records_as_they_were_understood(gateway, capsys):
    code, out, _ = gateway.say(capsys, "journal", "--device", "buoy-1", "--json")
    assert code == 0
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["seq"] for row in rows] == [5, 4, 3, 0]
    assert rows[3]["values"] == {"flags": 1, "lat_e6": 31_000_000, "lon_e6": 122_000_000}
    assert rows[0]["values"] == {"flags": 1}, "a value out of its range was shown"
    assert rows[1]["schema"] == "clock"
    _, out, _ = gateway.say(capsys, "journal", "--limit", "1")
    assert "left out" in out
    assert gateway.say(capsys, "journal", "--boot", "8")[1] == ""


def test_dead_letters_are_listed_shown_and_counted(gateway, capsys):
    _, out, _ = gateway.say(capsys, "dead-letters")
    assert "field-range: beacon.lat_e6 is 95000000" in out
    assert "malformed" in out
    _, out, _ = gateway.say(capsys, "dead-letters", "--reason", "malformed", "--limit", "1")
    assert len(out.splitlines()) == 1
    _, out, _ = gateway.say(capsys, "dead-letters", "reasons")
    assert "field-range: 1" in out
    _, out, _ = gateway.say(capsys, "dead-letters", "show", "1")
    assert out.startswith("1 ")
    code, _, err = gateway.say(capsys, "dead-letters", "purge")
    assert code == 1
    assert "--all" in err


def test_replay_after_a_repair_takes_what_is_good_now(gateway, capsys, monkeypatch):
    future = cbor2.dumps([schema.BEACON, 7, 9, 217_400_000, 1])
    monkeypatch.setattr(schema, "RECORD_MAX", 5)
    gateway.take(future)
    assert "record-too-long" in gateway.say(capsys, "dead-letters")[1]
    gateway.journal.close()
    code, out, _ = gateway.say(capsys, "dead-letters", "replay", "--reason", "record-too-long")
    assert (code, "1 refused again" in out) == (0, True), out
    monkeypatch.undo()
    code, out, _ = gateway.say(capsys, "dead-letters", "replay", "--reason", "record-too-long")
    assert "1 dead letters replayed: 1 records, 0 refused again" in out
    reader = JournalReader(gateway.config.data / "journal.sqlite")
    assert reader.newest("buoy-1", 7, 1)[0].raw == future
    assert reader.dead_letters.find(reason="record-too-long") == []
    reader.close()


def test_a_running_gateway_is_asked_and_does_it_itself(gateway, capsys):
    held = lock(gateway.config)
    replays = Replays(gateway.config.data, gateway.journal, gateway.acceptor)
    stop = threading.Event()

    def work():
        while not stop.wait(0.05):
            replays.answer()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        code, out, _ = gateway.say(capsys, "dead-letters", "purge", "--device", "buoy-2")
        assert (code, out) == (0, "1 dead letters deleted\n")
        code, out, _ = gateway.say(capsys, "dead-letters", "replay", "--all")
        assert "1 dead letters replayed: 0 records, 0 refused again" in out
    finally:
        stop.set()
        thread.join()
        replays.close()
        held.close()
    assert gateway.say(capsys, "dead-letters")[1] == ""


def test_conflicts_are_listed_beside_what_came_first(gateway, capsys):
    gateway.take(record(3, values=[9]))
    _, out, _ = gateway.say(capsys, "conflicts")
    assert f"came:  {record(3, values=[9]).hex()}" in out
    assert f"first: {record(3).hex()}" in out
    gateway.journal.close()
    assert "1 conflicts deleted" in gateway.say(capsys, "conflicts", "purge")[1]
    assert gateway.say(capsys, "conflicts")[1] == ""


def test_what_a_store_refused_goes_to_it_again(gateway, capsys):
    path = gateway.config.data / "refused-series.sqlite"
    refused = Refused(path)
    letter = Letter("t", "buoy-1", 7, 3, "store-refused", "type", 0, 1, NOW, record(3))
    refused.add([letter, letter._replace(seq=77)])
    refused.close()
    gateway.journal.close()
    _, out, _ = gateway.say(capsys, "dead-letters", "--sink", "series")
    assert out.count("store-refused") == 2
    _, out, _ = gateway.say(capsys, "dead-letters", "replay", "--all", "--sink", "series")
    assert "1 rows go to the stores again; 1 are no longer in the journal" in out
    reader = JournalReader(gateway.config.data / "journal.sqlite")
    assert [row.seq for row in reader.releases(0, 10)[1]] == [3]
    reader.close()


def test_two_gateways_do_not_share_a_folder(gateway, capsys):
    held = lock(gateway.config)
    code, _, err = gateway.say(capsys, "run")
    assert code == 1
    assert "another gateway works here already" in err
    code, _, err = gateway.say(capsys, "drain")
    assert code == 1
    held.close()


def test_a_folder_without_a_journal_is_named(tmp_path, capsys):
    (tmp_path / "gateway.toml").write_text('data = "nothing"\n')
    assert main(["gateway", "journal", "--config", str(tmp_path / "gateway.toml")]) == 1
    assert "there is no journal here" in capsys.readouterr().err
