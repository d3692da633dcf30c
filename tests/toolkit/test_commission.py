"""What a board is given at commissioning; and that moving an older flash never counts starts anew."""

import json
import os

import pytest
from fakes import FakeFiles, PowerCut

from agent import config, identity
from agent.hal.files import Files
from agent.keep.boots import BootNumber, pack, unpack
from agent.keep.slots import Slots
from simulators.site import flash
from toolkit import commission

KEY, RELEASE = "1f" * 32, "c0" * 32


@pytest.fixture
def files(tmp_path):
    return Files(str(tmp_path / "data"))


def test_an_identity_is_written_once(files):
    assert commission.identity_of(files) is None
    commission.identify(files, "buoy-1", key=KEY, release=RELEASE)
    assert identity.read(files).key == bytes.fromhex(KEY)
    for _ in range(2):
        with pytest.raises(commission.CommissionError, match="written once"):
            commission.identify(files, "buoy-2", key=KEY, release=RELEASE)
        assert commission.identity_of(files).device == "buoy-1"
        # Not even where only a damaged copy is left.
        files.replace("identity-a", b"damaged")
        files.replace("identity-b", b"damaged")
        with pytest.raises(commission.CommissionError, match="neither copy"):
            commission.identity_of(files)
        with pytest.raises(commission.CommissionError, match="written once"):
            commission.identify(files, "buoy-2", key=KEY, release=RELEASE)
        for name in identity.NAMES:
            files.replace(
                name,
                identity.seal(
                    b'{"device": "buoy-1", "key": "%s", "release": "%s"}'
                    % (KEY.encode(), RELEASE.encode())
                ),
            )


def test_a_wrong_value_writes_nothing(files):
    for given in (
        {"device": "Buoy", "key": KEY, "release": RELEASE},
        {"device": "b", "key": KEY[2:], "release": RELEASE},
        {"device": "b", "key": KEY, "release": "x" * 64},
    ):
        with pytest.raises(commission.CommissionError):
            commission.identify(files, given.pop("device"), **given)
    assert files.names() == []


def test_documents_are_given_confirmed(files):
    assert commission.give(files, "settings", {"report_s": 60})
    assert not commission.give(files, "settings", {"report_s": 60})
    assert commission.give(files, "settings", {"report_s": 61})
    slots = Slots(files, "settings")
    slots.start()
    assert config.load(slots.body)[0]["report_s"] == 61


def test_a_refusal_says_what_is_allowed(files):
    with pytest.raises(commission.CommissionError) as raised:
        commission.give(files, "settings", {"report_s": 0, "profile": "x", "board": "", "hue": 1})
    assert str(raised.value) == (
        "settings: report_s: allowed: 1 to 86400; default 600; "
        "settings: profile: allowed: beacon or shorepower; default 'beacon'; "
        "settings: board: allowed: a text of 1 to 32 characters; default 'virtual'; "
        "settings: hue: there is no such setting"
    )
    with pytest.raises(commission.CommissionError, match="tls: allowed: true or false"):
        commission.give(files, "access", {"tls": 1})
    with pytest.raises(commission.CommissionError, match="6144"):
        commission.give(files, "access", dict.fromkeys(("ca", "cert", "key"), 4000 * "x"))
    assert files.names() == []


class Virtual:
    """A virtual board's flash, commissioned as `make run` does."""

    def __init__(self, tmp_path):
        self.flash = tmp_path / "buoy-1"

    def commission(self, password="secret", **settings):
        given = {"broker": {"host": "127.0.0.1", "port": 1883}, "report_s": 5, **settings}
        flash.commission(self.flash, "buoy-1", password, "beacon", given, key=KEY)

    @property
    def files(self):
        return Files(str(self.flash / "data"))

    def document(self, name):
        slots = Slots(self.files, name)
        slots.start()
        return json.loads(slots.body)


@pytest.fixture
def virtual(tmp_path, monkeypatch):
    monkeypatch.setattr(flash.bundle, "write", _small_bundle)
    return Virtual(tmp_path)


def _small_bundle(folder, profile, **_):
    (folder / "a" / "agent").mkdir(parents=True, exist_ok=True)
    (folder / "a" / "agent" / "main.mpy").write_text(_small_bundle.code)


_small_bundle.code = "1"


def test_a_new_board(virtual):
    virtual.commission()
    who = identity.read(virtual.files)
    assert (who.device, who.key) == ("buoy-1", bytes.fromhex(KEY))
    assert virtual.document("settings") == {"profile": "beacon", "board": "virtual", "report_s": 5}
    access, wrong = config.load_access(json.dumps(virtual.document("access")))
    assert wrong == []
    assert (access["port"], access["password"]) == (1883, "secret")
    assert unpack(virtual.files.read("boot-a")) == 0


def test_commissioned_again_only_what_changed_is_written(virtual):
    virtual.commission()
    before = {name: virtual.files.read(name) for name in virtual.files.names()}
    virtual.files.replace("boot-a", pack(7))
    Slots(virtual.files, "settings").stage(b'{"report_s": 99}', confirmed=True)
    virtual.commission()
    # What was changed from afar stays, the boot number too.
    assert virtual.document("settings") == {"report_s": 99}
    assert unpack(virtual.files.read("boot-a")) == 7
    assert {name: virtual.files.read(name) for name in before} | {
        "boot-a": before["boot-a"]
    } == before
    virtual.commission(detail_s=20)
    assert virtual.document("settings")["detail_s"] == 20


def test_an_older_layout_is_moved_and_no_boot_number_used_twice(virtual):
    nvs = virtual.flash.with_name("buoy-1.nvs")
    for folder in (virtual.flash / "agent", nvs):
        folder.mkdir(parents=True)
    (virtual.flash / "identity.json").write_text('{"device": "buoy-1", "password": "old"}')
    (virtual.flash / "config.json").write_text("{}")
    (virtual.flash / "boot-a").write_bytes(pack(41))
    (nvs / "fairway.boot").write_bytes(pack(42))
    virtual.commission()
    assert not (virtual.flash / "boot-a").exists()
    assert not (virtual.flash / "identity.json").exists()
    assert not (virtual.flash / "agent").exists()
    assert unpack(virtual.files.read("boot-a")) == 42
    virtual.commission()
    assert unpack(virtual.files.read("boot-a")) == 42


def test_a_damaged_boot_store_is_not_replaced_by_zero(virtual):
    virtual.flash.mkdir()
    (virtual.flash / "boot-a").write_bytes(b"damaged")
    virtual.commission()

    class Store:
        def __init__(self, files):
            self.files = files

        def load(self):
            return self.files.read("boot-a")

        def save(self, data):
            self.files.replace("boot-a", data)

    store = Store(virtual.files)
    assert BootNumber(store, store, os.urandom).lost()


def test_a_new_application_by_hand_starts_the_guard_anew(virtual):
    virtual.commission()
    virtual.files.replace("guard-a", b"state")
    (virtual.flash / "b" / "agent").mkdir(parents=True)
    virtual.commission()
    assert virtual.files.read("guard-a") == b"state"
    _small_bundle.code = "2"
    virtual.commission()
    assert virtual.files.read("guard-a") is None
    assert not (virtual.flash / "b").exists()


def test_a_power_cut_at_every_byte_of_the_identity():
    """None at all, or one that is whole: never a board that is half somebody."""
    for cut in range(1, 1000):
        files = FakeFiles()
        files.cut = cut
        try:
            commission.identify(files, "buoy-1", key=KEY, release=RELEASE)
        except PowerCut:
            files.restart()
        else:
            break
        found = commission.identity_of(files)
        if found is None:
            found = commission.identify(files, "buoy-1", key=KEY, release=RELEASE)
        assert found.device == identity.read(files).device == "buoy-1"
    assert cut > 300
