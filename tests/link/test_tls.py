"""TLS on CPython against a real mosquitto: who is believed, who is not, and what it is called.

Issue 3's acceptance: wrong CA, wrong name, expired, not yet valid, no clock, certificate rotated
while connected.
"""

import json
from datetime import UTC, datetime, timedelta

import pytest

from agent.hal.files import Files
from agent.keep.slots import Slots
from agent.link import supervisor as s
from agent.wire import codes
from tests.chain.processes import free_port
from tests.link.bench import BUILT, DEVICE, PASSWORD, Broker, Device, Gateway, broker, mute_server
from tests.link.pki import CA, DAY, Issued, t_of

# The devices' time, not the computer's: nothing here depends on today's date.
NOW = datetime(2027, 6, 1, 12, tzinfo=UTC)
NOW_T = t_of(NOW)


@pytest.fixture(scope="module")
def ca() -> CA:
    return CA(NOW - 1000 * DAY, NOW + 3000 * DAY)


@pytest.fixture(scope="module")
def server(ca) -> Issued:
    return ca.server("localhost", NOW - 100 * DAY, NOW + 265 * DAY)


@pytest.fixture(scope="module")
def by_password(tmp_path_factory, ca, server):
    with broker(tmp_path_factory.mktemp("password"), ca, server) as made:
        made.gateway = Gateway(made.plain, lambda: NOW_T)
        yield made
        made.gateway.stop()


@pytest.fixture(scope="module")
def by_certificate(tmp_path_factory, ca, server):
    with broker(tmp_path_factory.mktemp("certificate"), ca, server, certificates=True) as made:
        made.gateway = Gateway(made.plain, lambda: NOW_T)
        yield made
        made.gateway.stop()


@pytest.fixture
def shows(by_password, server):
    """Let the broker show another certificate; afterwards it shows its own again."""

    def show(other: Issued) -> Broker:
        by_password.show(other)
        by_password.reload(other)
        return by_password

    yield show
    by_password.show(server)
    by_password.reload(server)


@pytest.fixture
def device(tmp_path):
    """Make devices; close their links at the end."""
    made: list[Device] = []

    def make(access: dict, t: int | None = NOW_T) -> Device:
        made.append(Device(tmp_path, access, t))
        return made[-1]

    yield make
    for one in made:
        one.link.close()


def access(made: Broker, ca: CA, **more: object) -> dict:
    return {
        "host": "localhost",
        "port": made.tls,
        "tls": True,
        "ca": ca.cert,
        "password": PASSWORD,
    } | more


# Who is believed


def test_a_server_that_the_ca_vouches_for(by_password, ca, device):
    one = device(access(by_password, ca))
    one.until_up()
    assert (one.errors, one.link.connects) == ([], 1)
    assert one.link.alarm() is None


def test_a_server_known_by_its_address(by_password, ca, device):
    one = device(access(by_password, ca, host="127.0.0.1"))
    one.until_up()


def test_records_arrive(by_password, ca, device):
    one = device(access(by_password, ca))
    gateway = Gateway(by_password.plain, lambda: NOW_T)
    # More than a TLS record and than the link's window, so that writes are cut and repeated.
    for seq in range(150):
        one.outbox.put(bytes([seq] * 200), 200, one.boot.value, seq, codes.LANE_STATUS)
        one.step()
    one.until_up()
    try:
        one.until(lambda: len({p[i] for p in gateway.seen for i in range(0, len(p), 200)}) > 30)
    finally:
        gateway.stop()
    assert one.errors == []


# Who is not


def test_wrong_ca(by_password, device):
    other = CA(NOW - DAY, NOW + DAY)  # of the same name
    one = device(access(by_password, other))
    assert one.until_error().startswith("tls: wrong-ca: ")
    assert one.link.connects == 0


def test_wrong_name(shows, ca, device):
    made = shows(ca.server("another.example", address="127.0.0.2"))
    one = device(access(made, ca))
    assert one.until_error().startswith("tls: wrong-name: ")
    one = device(access(made, ca, host="127.0.0.1"))
    assert one.until_error().startswith("tls: wrong-name: ")


def test_expired(shows, ca, device):
    made = shows(ca.server(begins=NOW - 100 * DAY, ends=NOW - 3 * DAY))
    one = device(access(made, ca))
    assert one.until_error() == "tls: expired: 3 days ago"


def test_an_expired_ca(shows, ca, device):
    # The server's certificate is good for longer; the CA's own has ended by then.
    made = shows(ca.server(ends=ca.ends + 100 * DAY))
    one = device(access(made, ca), t_of(ca.ends + 2 * DAY))
    assert one.until_error() == "tls: expired: 2 days ago"


def test_not_yet_valid(shows, ca, device):
    made = shows(ca.server(begins=NOW + DAY, ends=NOW + 100 * DAY))
    one = device(access(made, ca))
    assert one.until_error().startswith("tls: not-yet-valid: ")


def test_a_server_that_does_not_speak_tls(by_password, ca, device):
    one = device(access(by_password, ca, port=by_password.plain))
    assert one.until_error().split(":")[0] == "tls"


@pytest.mark.parametrize("host", ["no.such.host.invalid", "x" * 64])
def test_a_name_that_nobody_knows(by_password, ca, device, host):
    one = device(access(by_password, ca, host=host))
    assert one.until_error().startswith(f"connect: no address for {host} ")


def test_a_port_where_nobody_listens(ca, device):
    one = device({"host": "127.0.0.1", "port": free_port(), "tls": True, "ca": ca.cert})
    assert one.until_error() == "connect: ECONNREFUSED"


def test_a_server_that_accepts_and_never_answers(ca, device):
    with mute_server() as port:
        one = device({"host": "localhost", "port": port, "tls": True, "ca": ca.cert})
        one.step()
        one.faster = 60
        assert one.until_error() == "timeout: in state tls"
        assert one.link.state in {s.WAIT, s.RAISING}


# No clock


def test_without_a_clock_the_chain_and_the_name_still_count(by_password, shows, ca, device):
    one = device(access(by_password, CA(NOW - DAY, NOW + DAY)), None)
    assert one.until_error().startswith("tls: wrong-ca: ")
    made = shows(ca.server("another.example", address="127.0.0.2"))
    one = device(access(made, ca), None)
    assert one.until_error().startswith("tls: wrong-name: ")


def test_without_a_clock_a_device_comes_online_and_is_told_the_time(by_password, ca, device):
    one = device(access(by_password, ca), None)
    assert one.clock.t() < 0
    one.until_up()
    assert one.errors == []
    assert one.clock.source == codes.CLOCK_GATEWAY
    assert abs(one.clock.t() - NOW_T) < 60


def test_without_a_clock_a_certificate_younger_than_the_firmware_is_believed(shows, ca, device):
    # Build date, stored time and this certificate lie years apart: a dead antenna after a long rest.
    made = shows(ca.server(begins=NOW - 2 * DAY, ends=NOW + 10 * DAY))
    one = device(access(made, ca), None)
    assert one.clock.floor() == BUILT < t_of(NOW - 2 * DAY)
    one.until_up()


def test_without_a_clock_what_expired_before_the_firmware_is_refused(shows, device):
    old = CA(NOW - 3000 * DAY, NOW + 3000 * DAY)
    built = NOW + (BUILT - NOW_T) * timedelta(seconds=1)
    made = shows(old.server(begins=built - 100 * DAY, ends=built - 5 * DAY))
    one = device(access(made, old), None)
    assert one.until_error() == "tls: expired: 5 days ago"


# Who we are


def test_a_wrong_password(by_password, ca, device):
    one = device(access(by_password, ca, password="stolen"))
    assert one.until_error() == "refused: not authorised"
    assert one.link.connects == 0


def test_a_client_certificate(by_certificate, ca, device):
    own = ca.device(DEVICE)
    one = device(access(by_certificate, ca, password=None, cert=own.cert, key=own.key))
    one.until_up()


def test_a_client_certificate_that_is_missing(by_certificate, ca, device):
    one = device(access(by_certificate, ca))
    error = one.until_error()
    print(error)
    assert "refused-by-server: tlsv13 alert certificate required" in error
    assert one.link.connects == 0


def test_a_client_certificate_of_another_ca(by_certificate, ca, device):
    own = CA(NOW - DAY, NOW + DAY, "Somebody else").device(DEVICE)
    one = device(access(by_certificate, ca, cert=own.cert, key=own.key))
    assert "refused-by-server" in one.until_error()


def test_a_key_of_another_certificate(by_certificate, ca, device):
    one = device(access(by_certificate, ca, cert=ca.device(DEVICE).cert, key=ca.device("x").key))
    assert one.until_error() == "connect: key values mismatch"


# Rotation


def test_the_servers_certificate_is_rotated_while_connected(shows, by_password, ca, device):
    one = device(access(by_password, ca))
    one.until_up()
    made = shows(ca.server(begins=NOW - DAY, ends=NOW + 20 * DAY))
    # The connection stays, and the next one brings the new certificate.
    end = one.clock.now_ms + 500
    one.until(lambda: one.clock.now_ms > end)
    assert (one.link.state, one.errors) == (s.UP, [])
    made.restart()
    one.until(lambda: one.link.connects == 2 and one.link.state == s.UP)
    assert one.errors[0].startswith("closed: ")
    # It ends within 60 days: that is an alarm.
    one.step()
    assert one.link.alarm() in {19, 20}


def test_the_servers_certificate_is_rotated_to_another_ca_with_both_trusted(
    shows, by_password, ca, device
):
    new = CA(NOW - DAY, NOW + 3000 * DAY, "Fairway test CA 2")
    one = device(access(by_password, ca) | {"ca": ca.cert + new.cert})
    one.until_up()
    shows(new.server())
    by_password.restart()
    one.until(lambda: one.link.connects == 2 and one.link.state == s.UP)


def test_the_devices_own_credentials_are_rotated_while_connected(by_certificate, ca, device):
    first, second = ca.device(DEVICE), ca.device(DEVICE, ends=NOW + 30 * DAY)
    one = device(access(by_certificate, ca, cert=first.cert, key=first.key))
    one.until_up()
    assert one.link.alarm() is None
    one.link.use(access(by_certificate, ca, cert=second.cert, key=second.key))
    one.until_up()
    assert (one.link.connects, one.errors) == (2, [])
    one.step()
    assert one.link.alarm() in {29, 30}


def test_access_on_trial_that_does_not_work_goes_back(by_certificate, ca, device, tmp_path):
    """The agent's own slots and proof: staged, applied, and back when no gateway answered in time."""
    own, wrong = ca.device(DEVICE), CA(NOW - DAY, NOW + DAY, "Wrong").device(DEVICE)
    good = access(by_certificate, ca, cert=own.cert, key=own.key)
    slots = Slots(Files(str(tmp_path)), "access")
    slots.stage(json.dumps(good).encode())
    slots.start()
    one = device(good)
    proof = one.prove(slots, confirm_s=15)
    one.until_up()
    one.until(lambda: slots.state == codes.SETTINGS_CONFIRMED)

    bad = access(by_certificate, ca, cert=wrong.cert, key=wrong.key)
    slots.stage(json.dumps(bad).encode())
    slots.apply(one.clock.now_ms)
    proof.use()
    assert slots.state == codes.SETTINGS_TRIAL
    assert "refused-by-server" in one.until_error()
    one.faster = 10
    one.until(lambda: slots.state == codes.SETTINGS_UNCONFIRMED)
    one.faster = 1
    back_ms = one.clock.now_ms
    one.until_up()
    assert one.link.heard_ms > back_ms
    assert json.loads(slots.body) == good


def test_access_on_trial_that_cannot_be_read_goes_back_at_once(by_password, ca, device, tmp_path):
    good = access(by_password, ca)
    slots = Slots(Files(str(tmp_path)), "access")
    slots.stage(json.dumps(good).encode())
    slots.start()
    one = device(good)
    proof = one.prove(slots, confirm_s=15)
    one.until(lambda: slots.state == codes.SETTINGS_CONFIRMED)
    slots.stage(json.dumps(good | {"ca": "-----BEGIN CERTIFICATE-----"}).encode())
    slots.apply(one.clock.now_ms)
    proof.use()
    assert slots.state != codes.SETTINGS_TRIAL
    one.until_up()
    assert json.loads(slots.body) == good


def test_new_access_that_works_is_confirmed(by_certificate, ca, device, tmp_path):
    first, second = ca.device(DEVICE), ca.device(DEVICE)
    good = access(by_certificate, ca, cert=first.cert, key=first.key)
    slots = Slots(Files(str(tmp_path)), "access")
    slots.stage(json.dumps(good).encode())
    slots.start()
    one = device(good)
    proof = one.prove(slots, confirm_s=15)
    one.until(lambda: slots.state == codes.SETTINGS_CONFIRMED)
    new = access(by_certificate, ca, cert=second.cert, key=second.key)
    slots.stage(json.dumps(new).encode())
    slots.apply(one.clock.now_ms)
    proof.use()
    one.until(lambda: slots.state == codes.SETTINGS_CONFIRMED)
    assert json.loads(slots.body) == new
    assert one.errors == []
