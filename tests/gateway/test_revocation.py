"""A stolen device: the list and who reads it, the desk, the updates, the credentials, the command."""

import ast
import fcntl
import os
import random
import sqlite3
import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from agent.wire import messages as m
from agent.wire import release
from gateway import service
from gateway.access import credentials, durable
from gateway.access import revocation as r
from gateway.access.credentials import CredentialsError
from gateway.access.revocation import RevocationError, Revocations, Revoked, read, readmit, revoke
from gateway.check import revocation as check_revocation
from gateway.config import Broker, load
from gateway.down import orders as o
from gateway.down.commands import Desk
from gateway.down.rollouts import Rollouts
from gateway.down.updates import Sender
from gateway.inbox import Inbox
from gateway.inputs.mqtt import MQTTInput
from tests.device.releases import Release as Made
from tests.link.pki import CA, DAY
from toolkit import cli
from toolkit.settings import SettingsError

NOW = datetime(2027, 6, 1, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp()) * 1000
KEY = bytes(range(32))


def published() -> release.Release:
    made = Made()
    return release.decode(
        release.encode(release.Release(made.manifest, made.signature, made.image, None))
    )


def entry(device="buoy-1", who="ops", reason="stolen"):
    return Revoked(device, 1_795_000_000, who, reason, "ab" * 8)


# The list


def test_who_is_revoked_is_known_to_a_running_gateway_and_to_the_next(tmp_path):
    running = Revocations(tmp_path)
    assert not running.revoked("buoy-1")
    assert not running.look()
    assert revoke(tmp_path, entry()) is None
    assert running.look()
    assert running.revoked("buoy-1")
    assert not running.revoked("buoy-2")
    assert not running.look()
    assert Revocations(tmp_path).devices == {"buoy-1"}
    revoke(tmp_path, entry("buoy-2"))
    assert readmit(tmp_path, "buoy-1") == entry()
    assert running.look()
    assert running.devices == {"buoy-2"}
    assert readmit(tmp_path, "buoy-1") is None


def test_the_first_revocation_stays(tmp_path):
    revoke(tmp_path, entry(reason="first"))
    assert revoke(tmp_path, entry(reason="second")).reason == "first"
    assert read(tmp_path)["buoy-1"].reason == "first"


def test_every_text_comes_back(tmp_path):
    rng = random.Random(5)
    letters = [
        '"',
        "\\",
        "'",
        "\n",
        "\r",
        "\x00",
        "\x7f",
        "\ud800",
        "]",
        "#",
        "=",
        "警",
        "\u2028",
        "a",
    ]
    for n in range(120):
        text = "".join(rng.choices(letters, k=rng.randrange(260)))
        kept = "".join(c for c in text if c.isprintable())[:200]
        revoke(tmp_path, entry(f"buoy-{n % 3}", text, text))
        back = readmit(tmp_path, f"buoy-{n % 3}")
        assert (back.who, back.reason) == (kept, kept)


@pytest.mark.parametrize(
    "text",
    [
        "[buoy-1",
        "\xff",
        "buoy-1 = 1",
        "[buoy-1]\nwho = 'a'",
        "[Buoy_1]\nat = 2026-01-01T00:00:00Z",
    ],
)
def test_a_damaged_list_stops_a_start_and_not_a_run(tmp_path, text):
    revoke(tmp_path, entry())
    running = Revocations(tmp_path)
    (tmp_path / r.FILE).write_bytes(text.encode("latin-1"))
    assert not running.look()
    assert running.revoked("buoy-1")
    assert str(tmp_path / r.FILE) in running.fault
    for use in (Revocations, lambda folder: revoke(folder, entry("buoy-2"))):
        with pytest.raises(RevocationError, match=r.FILE):
            use(tmp_path)
    # Mended, it is followed again.
    (tmp_path / r.FILE).unlink()
    assert not running.look()
    assert "gone" in running.fault
    revoke(tmp_path, entry("buoy-2"))
    assert running.look()
    assert (running.fault, running.devices) == ("", {"buoy-2"})


def test_two_commands_at_once_lose_nothing(tmp_path):
    names = [f"buoy-{n}" for n in range(24)]
    threads = [
        threading.Thread(
            target=lambda mine: [revoke(tmp_path, entry(d)) for d in mine], args=(part,)
        )
        for part in (names[:12], names[12:])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read(tmp_path)) == sorted(names)


def test_a_command_waits_for_the_one_before_it(tmp_path):
    with (tmp_path / "revoked.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        thread = threading.Thread(target=revoke, args=(tmp_path, entry()))
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        assert read(tmp_path) == {}
    thread.join(5)
    assert "buoy-1" in read(tmp_path)


# Replacing files


def test_the_file_is_synced_before_it_is_there_and_its_folder_after(tmp_path, monkeypatch):
    calls = []
    for of, name in ((os, "fchmod"), (os, "fsync"), (Path, "rename")):
        real = getattr(of, name)
        monkeypatch.setattr(of, name, lambda *a, n=name, f=real: (calls.append(n), f(*a))[1])
    durable.replace(tmp_path / "x", b"new")
    assert calls == ["fchmod", "fsync", "rename", "fsync"]


def test_owner_and_mode_stay_and_a_link_is_followed(tmp_path):
    real = tmp_path / "real"
    real.write_bytes(b"old")
    real.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(real, 65534, 65534)
    before = real.stat()
    (tmp_path / "link").symlink_to(real)
    durable.replace(tmp_path / "link", b"new")
    after = real.stat()
    assert real.read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode, before.st_uid, before.st_gid,
    )  # fmt: skip


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
def test_without_the_right_to_keep_the_owner_nothing_changes(tmp_path):
    """A password file that its broker cannot read lets nobody in."""
    path = tmp_path / "passwords"
    path.write_bytes(b"buoy-1:x\nbuoy-2:y\n")
    tmp_path.chmod(0o777)
    path.chmod(0o644)
    pid = os.fork()
    if pid == 0:
        os.setuid(65534)
        try:
            credentials.forget_password(path, "buoy-1")
        except PermissionError:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    assert path.read_bytes() == b"buoy-1:x\nbuoy-2:y\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["passwords"]


# The desk and the updates


class Revocable:
    def __init__(self):
        self.devices = set()

    def __call__(self, device):
        return device in self.devices


def test_the_desk_withdraws_what_is_open_and_refuses_what_is_new(tmp_path):
    orders, revoked, sent = o.Orders(tmp_path / "commands.sqlite"), Revocable(), []
    desk = Desk(
        orders, lambda: {"buoy-1": KEY, "buoy-2": KEY}, lambda d, p: sent.append(d), None, revoked
    )
    asked, going, other = (
        orders.add(device, verb, b"", "ops", 900, NOW_MS)
        for device, verb in (("buoy-1", m.REBOOT), ("buoy-1", m.REPORT), ("buoy-2", m.REPORT))
    )
    desk.poll(NOW_MS)
    assert (orders.get(asked).state, orders.get(going).state) == (o.ASKING, o.SENT)
    revoked.devices.add("buoy-1")
    late = orders.add("buoy-1", m.REPORT, b"", "ops", 900, NOW_MS)
    sent.clear()
    for second in range(0, 300, 3):
        desk.poll(NOW_MS + second * 1000)
    assert set(sent) == {"buoy-2"}
    assert orders.get(asked).state == orders.get(late).state == o.UNREACHED
    assert orders.get(going).state == o.UNANSWERED  # it may have been done: that stays true
    assert orders.get(other).state == o.SENT
    # What it answers now changes nothing.
    desk.take("buoy-1", (m.DO, orders.get(going).id, m.RESULT_DONE, b""), NOW_MS)
    assert orders.get(going).state == o.UNANSWERED
    orders.close()


def test_updates_end(tmp_path):
    rollouts, revoked, sent = Rollouts(tmp_path / "updates.sqlite"), Revocable(), []
    sender = Sender(rollouts, lambda d, p: sent.append(d), revoked)
    images = [rollouts.add(name, published(), "ops", NOW_MS) for name in ("buoy-1", "buoy-2")]
    sender.poll(NOW_MS)
    assert sent == ["buoy-1", "buoy-2"]
    revoked.devices.add("buoy-1")
    for n in range(1, 60):
        sender.take("buoy-1", (images[0], 1, bytes(8)), NOW_MS + n * 1000)
        sender.poll(NOW_MS + n * 1000)
    assert sent.count("buoy-1") == 1
    assert rollouts.get(images[0]).result == "the device is revoked"
    assert rollouts.get(images[1]).ended_ms is None
    rollouts.close()


# Passwords


def test_a_password_is_forgotten_and_no_other(tmp_path):
    path = tmp_path / "passwords"
    lines = [b"buoy-1:$7$a\n", b"buoy-11:$7$b\n", b"gateway:$7$c\n", b"a-buoy-1:$7$d"]
    path.write_bytes(b"".join(lines))
    assert credentials.forget_password(path, "buoy-1")
    assert path.read_bytes() == b"".join(lines[1:])
    assert not credentials.forget_password(path, "buoy-1")
    with pytest.raises(FileNotFoundError):
        credentials.forget_password(tmp_path / "nowhere", "buoy-1")


# Certificates


@pytest.fixture(scope="module")
def pair():
    return CA(NOW - 100 * DAY, NOW + 3000 * DAY), CA(NOW - 100 * DAY, NOW + 3000 * DAY)


def files(folder, ca):
    (folder / "ca.pem").write_text(ca.cert)
    (folder / "ca.key").write_text(ca.key)
    return folder / "ca.pem", folder / "ca.key"


def test_a_list_grows_and_is_good_as_long_as_its_ca(tmp_path, pair):
    ca = credentials.load_ca(*files(tmp_path, pair[0]))
    path = tmp_path / "crl.pem"
    assert credentials.revoke_certificates(path, ca, (), NOW) == 0
    assert credentials.revoke_certificates(path, ca, {5, 7}, NOW) == 2
    assert credentials.revoke_certificates(path, ca, {7, 9}, NOW + DAY) == 3
    found = x509.load_pem_x509_crl(path.read_bytes())
    assert {one.serial_number for one in found} == {5, 7, 9}
    assert found.is_signature_valid(ca.certificate.public_key())
    assert found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 3
    assert (
        found.next_update_utc == ca.certificate.not_valid_after_utc == credentials.crl_ends(path)
    )
    assert found.get_revoked_certificate_by_serial_number(7).revocation_date_utc == NOW
    said = subprocess.run(
        ["openssl", "crl", "-in", path, "-CAfile", tmp_path / "ca.pem", "-noout", "-text"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Key Compromise" in said.stdout
    assert "verify OK" in said.stdout + said.stderr


def test_no_list_of_another_ca_and_no_damaged_one_is_overwritten(tmp_path, pair):
    first, second = (tmp_path / "1", tmp_path / "2")
    for folder, ca in zip((first, second), pair, strict=True):
        folder.mkdir()
        files(folder, ca)
    path = tmp_path / "crl.pem"
    credentials.revoke_certificates(
        path, credentials.load_ca(first / "ca.pem", first / "ca.key"), {5}, NOW
    )
    other = credentials.load_ca(second / "ca.pem", second / "ca.key")
    before = path.read_bytes()
    with pytest.raises(CredentialsError, match="another CA"):
        credentials.revoke_certificates(path, other, {6}, NOW)
    assert path.read_bytes() == before
    path.write_bytes(before[:-60])
    with pytest.raises(CredentialsError, match="no revocation list"):
        credentials.revoke_certificates(path, other, {6}, NOW)
    with pytest.raises(CredentialsError, match="not the key"):
        credentials.load_ca(first / "ca.pem", second / "ca.key")


def test_an_encrypted_key_wants_its_phrase(tmp_path, pair):
    cert, key = files(tmp_path, pair[0])
    loaded = load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open"))
    )
    with pytest.raises(CredentialsError, match="FAIRWAY_CA_PASSWORD"):
        credentials.load_ca(cert, key)
    with pytest.raises(CredentialsError, match=r"ca\.key"):
        credentials.load_ca(cert, key, "wrong")
    assert credentials.load_ca(cert, key, "open").key.private_numbers() == loaded.private_numbers()


def test_all_certificates_of_a_device_are_found_and_no_others(tmp_path, pair):
    ca = pair[0]
    mine = [ca.device("buoy-1"), ca.device("buoy-1", ends=NOW + DAY)]
    (tmp_path / "all.pem").write_text(ca.device("buoy-11").cert + mine[0].cert)
    (tmp_path / "b.der").write_bytes(mine[1].certificate.public_bytes(Encoding.DER))
    (tmp_path / "key.pem").write_text(mine[0].key)
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    (tmp_path / "broken.pem").write_text(mine[0].cert[:200])
    (tmp_path / "folder").mkdir()
    wanted = {one.certificate.serial_number for one in mine}
    assert credentials.serials_of(tmp_path, "buoy-1") == wanted
    assert credentials.serials_of(tmp_path, "buoy") == set()


# The command


@pytest.fixture
def gateway(tmp_path, pair):
    """A gateway's folder after a run, with both kinds of credentials and a broker that notes signals."""
    data, certificates = tmp_path / "data", tmp_path / "certificates"
    data.mkdir()
    certificates.mkdir()
    files(tmp_path, pair[0])
    (tmp_path / "ca.key").chmod(0o600)
    (tmp_path / "passwords").write_text("buoy-1:x\nbuoy-2:y\n")
    (certificates / "buoy-3.pem").write_text(pair[0].device("buoy-3").cert)
    (data / "keys.toml").touch(0o600)
    (data / "keys.toml").write_text(f'buoy-1 = "{KEY.hex()}"\n')
    (tmp_path / "gateway.toml").write_text(
        '[revocation]\npassword_file = "passwords"\ncrl_file = "crl.pem"\nca_cert = "ca.pem"\n'
        f'ca_key = "ca.key"\ncertificates = "certificates"\nreload = "touch {tmp_path}/told"\n'
    )
    return tmp_path


def fairway(folder, capsys, *words):
    code = cli.main(["gateway", *words, "--config", str(folder / "gateway.toml")])
    return code, capsys.readouterr().out


def states(said):
    return {line[:13].strip(): line[13:29].strip() for line in said.splitlines()}


def audit(folder):
    db = sqlite3.connect(folder / "data" / "commands.sqlite")
    with db:
        rows = db.execute("SELECT device, who, what, detail FROM audit ORDER BY id").fetchall()
    db.close()
    return rows


def test_one_step(gateway, capsys):
    orders = o.Orders(gateway / "data" / "commands.sqlite")
    mine = orders.add("buoy-1", m.REPORT, b"", "ops", 900, NOW_MS)
    other = orders.add("buoy-2", m.REPORT, b"", "ops", 900, NOW_MS)
    rollouts = Rollouts(gateway / "data" / "updates.sqlite")
    image = rollouts.add("buoy-1", published(), "ops", NOW_MS)
    code, said = fairway(
        gateway, capsys, "revoke", "buoy-1", "--who", "ops", "--reason", "stolen, 夜"
    )
    assert (code, set(states(said).values())) == (0, {"done"}), said
    assert list(states(said)) == [
        "gateway", "commands", "updates", "password", "certificate", "broker", "connection", "audit",
    ]  # fmt: skip
    assert (gateway / "told").exists()
    assert (gateway / "passwords").read_text() == "buoy-2:y\n"
    assert orders.get(mine).state == o.UNREACHED
    assert orders.get(other).state == o.NEW
    assert rollouts.get(image).result == "the device is revoked"
    done = ", ".join(f"{n} done" for n in states(said) if n != "audit")
    assert ("buoy-1", "ops", "revoked", f"stolen, 夜 ({done})") in audit(gateway)
    # Its key stays: what comes by satellite must be known for its own.
    assert "buoy-1" in (gateway / "data" / "keys.toml").read_text()
    for words in (
        ("command", "report", "--device", "buoy-1"),
        ("update", str(gateway / "any"), "--device", "buoy-2", "buoy-1"),
    ):
        assert cli.main(["gateway", *words, "--config", str(gateway / "gateway.toml")]) != 0
        assert "revoked" in capsys.readouterr().err
    code, said = fairway(gateway, capsys, "revoked")
    assert code == 0
    assert "buoy-1" in said
    assert "stolen, 夜" in said
    # Once more is the same.
    code, said = fairway(gateway, capsys, "revoke", "buoy-1")
    assert code == 0
    assert "already" in said
    orders.close()
    rollouts.close()


def test_a_certificate_goes_on_the_list(gateway, capsys):
    code, said = fairway(gateway, capsys, "revoke", "buoy-3")
    assert states(said)["certificate"] == "done"
    # Nobody listens where devices should, so that its connection was not ended.
    assert (code, states(said)["connection"]) == (0, "not configured"), said
    found = x509.load_pem_x509_crl((gateway / "crl.pem").read_bytes())
    (serial,) = credentials.serials_of(gateway / "certificates", "buoy-3")
    assert [one.serial_number for one in found] == [serial]
    code, said = fairway(
        gateway, capsys, "revoke", "buoy-4", "--serial", "0a:0B", "--serial", "ff"
    )
    found = x509.load_pem_x509_crl((gateway / "crl.pem").read_bytes())
    assert {one.serial_number for one in found} == {serial, 0xA0B, 0xFF}
    code, said = fairway(gateway, capsys, "revoked")
    assert "warning" not in said
    code, said = fairway(gateway, capsys, "revoked", "crl")
    assert code == 0
    assert "has 3" in said


@pytest.mark.parametrize(
    ("break_it", "step"),
    [
        (lambda folder: (folder / "passwords").unlink(), "password"),
        (lambda folder: (folder / "crl.pem").write_text("nothing"), "certificate"),
        (lambda folder: (folder / "ca.key").unlink(), "certificate"),
        (lambda folder: (folder / "data" / "commands.sqlite").write_text("x" * 4096), "commands"),
        (lambda folder: (folder / "gateway.toml").write_text(
            (folder / "gateway.toml").read_text().replace("touch ", "touch /no/such/")), "broker"),
    ],
)  # fmt: skip
def test_what_fails_is_said_and_the_rest_is_done(gateway, capsys, break_it, step):
    break_it(gateway)
    code, said = fairway(gateway, capsys, "revoke", "buoy-3")
    assert code == 1
    assert states(said)[step] == "failed", said
    assert states(said)["gateway"] == "done"
    assert list(read(gateway / "data")) == ["buoy-3"]
    assert len(states(said)) == 8
    if step != "commands":  # whose file has the audit, too
        assert f"{step} failed" in audit(gateway)[-1][3]
    if step == "broker":
        assert states(said)["connection"] in {"failed", "not configured"}


def test_without_any_configuration_it_says_what_is_to_be_done_by_hand(gateway, capsys):
    (gateway / "gateway.toml").write_text("")
    code, said = fairway(gateway, capsys, "revoke", "buoy-1")
    assert code == 0
    assert [n for n, state in states(said).items() if state == "not configured"] == [
        "password", "certificate", "broker",
    ]  # fmt: skip
    assert "mosquitto_passwd -D FILE buoy-1" in said


def test_without_the_cas_key_it_says_what_to_do_with_it(gateway, capsys):
    text = (gateway / "gateway.toml").read_text().replace('ca_key = "ca.key"\n', "")
    (gateway / "gateway.toml").write_text(text)
    _, said = fairway(gateway, capsys, "revoke", "buoy-3")
    (serial,) = credentials.serials_of(gateway / "certificates", "buoy-3")
    assert states(said)["certificate"] == "not configured"
    assert f"{serial:x}" in said
    assert "gencrl" in said


def test_taking_it_back_warns_of_a_key_that_was_in_other_hands(gateway, capsys):
    fairway(gateway, capsys, "revoke", "buoy-1")
    code, said = fairway(gateway, capsys, "revoke", "buoy-1", "--undo", "--who", "ops")
    assert code == 0
    assert "commission it anew" in said
    assert read(gateway / "data") == {}
    assert ("buoy-1", "ops", "taken in again", "") in audit(gateway)
    fairway(gateway, capsys, "revoke", "buoy-1")
    (gateway / "data" / "keys.toml").write_text(f'buoy-1 = "{bytes(32).hex()}"\n')
    code, said = fairway(gateway, capsys, "revoke", "--device", "buoy-1", "--undo")
    assert "commission it anew" not in said
    code, said = fairway(gateway, capsys, "revoke", "buoy-1", "--undo")
    assert "it was not revoked" in said


@pytest.mark.parametrize(
    "words",
    [
        ("revoke",),
        ("revoke", "Buoy_1"),
        ("revoke", "a", "b"),
        ("revoke", "a", "--serial", "xy"),
        ("revoked", "x"),
        ("revoke", "gateway"),
    ],
)
def test_wrong_words(gateway, capsys, words):
    assert cli.main(["gateway", *words, "--config", str(gateway / "gateway.toml")]) != 0
    assert not (gateway / "data" / r.FILE).exists()


def test_a_list_that_runs_out_is_warned_of(gateway, capsys, pair):
    today = datetime.now(UTC)
    short = CA(today - 100 * DAY, today + 20 * DAY)
    files(gateway, short)
    _, said = fairway(gateway, capsys, "revoked")
    assert (
        "error: revocation.crl_file" in said
    )  # there is none yet, and a broker that has its name does not start
    fairway(gateway, capsys, "revoked", "crl")
    _, said = fairway(gateway, capsys, "revoked")
    assert "runs out on" in said
    # Of a CA that has ended there is no list any more.
    files(gateway, CA(today - 100 * DAY, today - DAY))
    (gateway / "crl.pem").unlink()
    code, said = fairway(gateway, capsys, "revoked", "crl")
    assert code == 1
    assert "has ended" in said


@pytest.mark.parametrize(
    ("break_it", "level", "words"),
    [
        (lambda f: None, "ok", "can be revoked"),
        (lambda f: (f / "passwords").unlink(), "error", "password_file"),
        (lambda f: (f / "crl.pem").write_text("x"), "error", "crl_file"),
        (lambda f: (f / "ca.key").write_text("x"), "error", "ca_key"),
        (lambda f: (f / "certificates").rename(f / "x"), "error", "certificates"),
        (lambda f: change(f, 'reload = "touch', 'reload = "no-such-program'), "error", "reload"),
        (lambda f: change(f, "reload =", "#"), "warning", "nobody tells the broker"),
        (lambda f: change(f, "ca_key =", "#"), "warning", "is not ended"),
        (lambda f: (f / "gateway.toml").write_text(""), "warning", "says nothing"),
        (lambda f: (f / "data" / r.FILE).write_text("["), "error", "does not start"),
    ],
)
def test_what_a_revocation_needs_is_looked_at_before(gateway, break_it, level, words):
    credentials.revoke_certificates(
        gateway / "crl.pem", credentials.load_ca(gateway / "ca.pem", gateway / "ca.key"), (), NOW
    )
    break_it(gateway)
    found = list(check_revocation.check(load(gateway / "gateway.toml", {}), NOW))
    assert [one.level for one in found if words in one.what + one.action] == [level], found


def change(folder, old, new):
    path = folder / "gateway.toml"
    path.write_text(path.read_text().replace(old, new))


def test_a_reload_that_cannot_be_read(gateway):
    change(gateway, 'reload = "touch', "reload = \"touch 'x")
    with pytest.raises(SettingsError, match=r"revocation\.reload"):
        load(gateway / "gateway.toml", {})


def test_nothing_goes_down_to_a_revoked_device():
    gone = []
    broker = Broker("127.0.0.1", 1, "gateway", "", 30, ("+",))
    mqtt = MQTTInput(broker, "gateway-1", Inbox(1), 1, {"buoy-1"}.__contains__)
    mqtt._client.is_connected = lambda: True
    mqtt._client.send = gone.append
    mqtt.send([("buoy-1", "cmd", b"for one"), ("buoy-2", "cmd", b"for two")])
    assert b"for two" in gone[0]
    assert b"for one" not in gone[0]


def test_every_part_of_a_gateway_that_speaks_to_devices_has_the_list():
    made = {}
    for node in ast.walk(ast.parse(Path(service.__file__).read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            made[node.func.id] = {one.id for one in node.args if isinstance(one, ast.Name)}
    for part in ("Acceptor", "MQTTInput", "RDSSInput", "DeskThread", "SenderThread"):
        assert "revoked" in made[part], part


def test_nothing_but_the_desk_and_the_frames_signs():
    """Whoever signs asks first whether the device is revoked."""
    root = Path(r.__file__).parents[1]
    signers = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in {"command_tag", "put_frame", "tag_of"}:
                    signers.add(path.relative_to(root).as_posix())
    assert signers == {"down/commands.py", "inputs/beidou/rdss.py"}
    for name in signers:
        assert "_revoked(" in (root / name).read_text("utf-8")
