"""Rollouts: the gateway's sender against the device's own update code, over links that fail."""

import argparse
import random
import sqlite3
import types

import pytest
from releases import FILES, Release
from updating import Device, slot

from agent.wire import codes, messages
from agent.wire import release as r
from agent.wire.series import EPOCH_2020
from gateway.cli.updates import update
from gateway.down.rollouts import Rollouts
from gateway.down.updates import WINDOW, Sender
from toolkit.cli import CommandError

T0 = 1_795_000_000_000


def published(**kwargs) -> r.Release:
    made = Release(**kwargs)
    return r.decode(r.encode(r.Release(made.manifest, made.signature, made.image, None)))


class Site:
    """One gateway and its devices, in simulated time; `lost` is the share of messages that vanish."""

    def __init__(self, folder, names=("buoy-1",), lost=0.0, seed=1):
        self.path = folder / "updates.sqlite"
        self.devices = {name: Device() for name in names}
        for device in self.devices.values():
            device.start(innocent=True)
        self.now_ms = T0
        self.lost = lost
        self.rng = random.Random(seed)
        self.sent = []
        self.up = True
        self.arm = True
        self.start_gateway()

    def start_gateway(self):
        self.rollouts = Rollouts(self.path)
        self.sender = Sender(self.rollouts, self.send)

    def kill_gateway(self):
        self.rollouts.close()
        self.start_gateway()

    def send(self, device, payload):
        self.sent.append((device, payload))
        if self.up and self.rng.random() >= self.lost:
            self.devices[device].take(payload)

    def run(self, seconds):
        for _ in range(seconds):
            self.now_ms += 1000
            self.sender.poll(self.now_ms)
            for name, device in self.devices.items():
                for report in device.step():
                    if self.up and self.rng.random() >= self.lost:
                        self.sender.take(name, report, self.now_ms)
                if self.arm and device.update.state == codes.UPDATE_STAGED:
                    device.update.arm(device.update.image)  # the signed command is another's test

    def chunks_sent(self):
        return sum(payload[1] == messages.CHUNK for _, payload in self.sent)

    def audit(self):
        return [entry.what for entry in reversed(self.rollouts.audit(100))]


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_a_good_image(site):
    release = published(counter=3)
    image = site.rollouts.add("buoy-1", release, "a.person", site.now_ms)
    assert image == T0 // 1000 - EPOCH_2020
    site.run(60)
    rollout = site.rollouts.get(image)
    assert (rollout.state, rollout.result) == (codes.UPDATE_CONFIRMED, "confirmed")
    assert slot(site.devices["buoy-1"].flash, "b") == dict(FILES)
    assert site.chunks_sent() == rollout.sent == len(release.chunks())
    assert site.audit() == [
        "offered 0.2.0, counter 3",
        "the device says: receiving",
        "the device says: verifying",
        "the device says: staged",
        "the device says: armed",
        "the device says: trial",
        "the device says: confirmed",
        "ended: confirmed",
    ]
    assert site.rollouts.audit(100)[-1].who == "a.person"
    # It ended: nothing more is sent.
    site.sent.clear()
    site.run(3600)
    assert site.sent == []


def test_a_bad_image_is_rolled_back_with_its_name(site):
    # Regression 5 of reference/micropython.md, as the gateway sees it.
    site.devices["buoy-1"].works[b"new"] = "silent"
    image = site.rollouts.add("buoy-1", published(), "", site.now_ms)
    site.run(900)
    assert site.rollouts.get(image).result == "rolled-back"
    assert site.devices["buoy-1"].version == b"old"


@pytest.mark.parametrize(
    ("what", "result"),
    [
        ({"counter": 1}, "older"),
        ({"seed": bytes(32), "counter": 9}, "bad-signature"),
        ({"board": b"other", "counter": 9}, "other-board"),
        ({"raw": b"\x00" * 100, "counter": 9}, "malformed"),
    ],
)
def test_refusals_have_names(site, what, result):
    site.rollouts.add("buoy-1", published(counter=2), "", site.now_ms)
    site.run(60)
    image = site.rollouts.add("buoy-1", published(**what), "", site.now_ms)
    site.run(60)
    assert site.rollouts.get(image).result == result
    assert site.devices["buoy-1"].version == b"new"  # the one before


@pytest.mark.parametrize("seed", range(8))
def test_a_good_image_on_a_bad_link(tmp_path, seed):
    site = Site(tmp_path, lost=0.4, seed=seed)
    image = site.rollouts.add("buoy-1", published(), "", site.now_ms)
    for _ in range(40):
        site.run(60)
        fate = site.rng.random()
        if fate < 0.2:
            site.kill_gateway()
        elif fate < 0.4:
            site.devices["buoy-1"].start(innocent=True)
        elif fate < 0.5:
            site.up = not site.up
    site.up = True
    site.run(7200)
    assert site.rollouts.get(image).result == "confirmed"
    assert slot(site.devices["buoy-1"].flash, "b") == dict(FILES)


def test_a_window_is_all_that_is_on_its_way(site):
    big = (*FILES[:-1], ("agent/big.mpy", bytes(5000)), FILES[-1])
    site.rollouts.add("buoy-1", published(files=big), "", site.now_ms)
    site.run(3)
    site.up = False
    before = site.chunks_sent()
    assert before <= 3 * WINDOW
    site.run(3600)
    assert site.chunks_sent() == before
    # Silence: offers alone, ever rarer.
    assert len(site.sent) - before < 20


def test_a_restarted_gateway_sends_only_what_is_missing(site):
    image = site.rollouts.add("buoy-1", published(), "", site.now_ms)
    site.run(2)
    site.kill_gateway()
    site.run(60)
    assert site.rollouts.get(image).result == "confirmed"
    # The window that was on its way when it died may come twice.
    assert site.chunks_sent() <= len(published().chunks()) + WINDOW


def test_a_device_that_has_forgotten_is_offered_it_again_but_not_in_a_circle(site):
    site.arm = False
    image = site.rollouts.add("buoy-1", published(), "", site.now_ms)
    site.run(20)
    for name in ("data/update", "data/update-chunks"):
        site.devices["buoy-1"].flash.files.pop(name, None)
    site.devices["buoy-1"].start()
    before = len(site.sent)
    for _ in range(1000):
        site.sender.take("buoy-1", (image, codes.UPDATE_NONE, b""), site.now_ms)
    assert len(site.sent) == before
    site.arm = True
    site.run(60)
    assert site.rollouts.get(image).result == "confirmed"


def test_a_link_that_eats_chunks_is_given_up(site):
    image = site.rollouts.add("buoy-1", published(), "", site.now_ms)
    site.sender.poll(site.now_ms)
    for _ in range(10_000):
        site.now_ms += 10_000
        site.sender.take("buoy-1", (image, codes.UPDATE_RECEIVING, b"\x00\x00"), site.now_ms)
    assert site.rollouts.get(image).result.startswith("the link is too poor: 22")


def test_a_device_that_never_answers_is_given_up(site):
    site.up = False
    image = site.rollouts.add("buoy-1", published(), "", site.now_ms)
    for _ in range(31 * 24):
        site.now_ms += 3_600_000
        site.sender.poll(site.now_ms)
    assert site.rollouts.get(image).result == "no answer for 30 days"


def test_several_devices_at_once_and_each_its_own_number(tmp_path):
    site = Site(tmp_path, names=("buoy-1", "buoy-2", "buoy-3"))
    site.devices["buoy-2"].works[b"new"] = "crashes"
    images = [site.rollouts.add(name, published(), "", site.now_ms) for name in site.devices]
    assert len(set(images)) == 3
    site.run(60)
    results = [site.rollouts.get(image).result for image in images]
    assert results == ["confirmed", "rolled-back", "confirmed"]


def test_what_another_device_says_of_it_is_not_heard(site):
    image = site.rollouts.add("buoy-1", published(), "", site.now_ms)
    site.sender.take("buoy-9", (image, codes.UPDATE_CONFIRMED, b""), site.now_ms)
    site.sender.take("buoy-1", (image + 1, codes.UPDATE_CONFIRMED, b""), site.now_ms)
    assert site.rollouts.get(image).ended_ms is None


def test_a_newer_offer_ends_the_older(site):
    first = site.rollouts.add("buoy-1", published(), "", site.now_ms)
    second = site.rollouts.add("buoy-1", published(counter=2), "", site.now_ms)
    assert site.rollouts.get(first).result == "replaced"
    site.run(60)
    assert site.rollouts.get(second).result == "confirmed"


def test_a_stopped_one_is_offered_no_more(site):
    image = site.rollouts.add("buoy-1", published(), "", site.now_ms)
    site.run(2)
    site.rollouts.end(site.rollouts.get(image), "stopped", site.now_ms, "a.person")
    site.run(2)
    site.sent.clear()
    site.run(600)
    assert site.sent == []


def test_the_audit_is_only_added_to(site):
    site.rollouts.add("buoy-1", published(), "", site.now_ms)
    db = sqlite3.connect(site.path)
    for statement in ("DELETE FROM audit", "UPDATE audit SET who = 'nobody'"):
        with pytest.raises(sqlite3.DatabaseError, match="only added to"):
            db.execute(statement)
    db.close()


def command(folder, *words, device=None):
    args = argparse.Namespace(words=list(map(str, words)), device=device, who="a.person", limit=20)
    return update(types.SimpleNamespace(data=folder), args)


def test_the_command_line(tmp_path, capsys):
    file = tmp_path / "good.fwr"
    file.write_bytes(r.encode(published()))
    assert command(tmp_path, file, device=["buoy-1", "buoy-2"]) == 0
    said = capsys.readouterr().out
    image = said.split()[2]
    assert f"fairway gateway command update {image} --device buoy-1" in said
    command(tmp_path, "stop", image)
    command(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(": stopped")
    assert "buoy-2" in lines[1] and lines[1].endswith("none")
    command(tmp_path, "audit")
    assert "a.person  ended: stopped" in capsys.readouterr().out


def test_what_the_command_line_refuses(tmp_path):
    unsigned = tmp_path / "unsigned.fwr"
    unsigned.write_bytes(r.encode(published()._replace(signature=b"")))
    junk = tmp_path / "junk.fwr"
    junk.write_bytes(b"junk")
    good = tmp_path / "good.fwr"
    good.write_bytes(r.encode(published()))
    for words, device, cause in (
        ([unsigned], ["buoy-1"], "is not signed"),
        ([junk], ["buoy-1"], "is no release"),
        ([tmp_path / "absent.fwr"], ["buoy-1"], "No such file"),
        ([good], ["Buoy 1"], "is no device id"),
        ([good], None, "not how"),
        (["stop", "7"], None, "there is no update 7"),
        (["stop", "x"], None, "not how"),
    ):
        with pytest.raises(CommandError, match=cause):
            command(tmp_path, *words, device=device)
    assert Rollouts(tmp_path / "updates.sqlite").all(10) == []


@pytest.mark.prove
@pytest.mark.parametrize("works", ["well", "silent", "crashes"])
def test_the_power_fails_at_every_byte_of_every_flash_write(works):
    """The whole of what tests/device/test_update.py samples."""
    from test_update import UpdateTest, cut_once
    from updating import Gateway, Noted, carry

    flash = Noted()
    device = Device(flash)
    device.works[b"new"] = works
    result = carry(device, Gateway(Release()))
    for cut in range(1, flash.steps + 1):
        cut_once(UpdateTest(), works, cut, result)
