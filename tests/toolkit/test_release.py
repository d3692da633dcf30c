"""`fairway release`: keys, images from the real sources, signatures that devices accept."""

import hashlib
import stat

import pytest
from releases import verify

from agent.wire import codes, manifest
from agent.wire import release as r
from toolkit import bundle, release
from toolkit.cli import CommandError
from toolkit.release_command import ReleaseCommand


def run(*words):
    import argparse

    command = ReleaseCommand()
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture(scope="module")
def built():
    return release.build("beacon", layer="virtual", board="virtual", counter=4)


def test_an_image_holds_what_a_slot_gets(built, tmp_path):
    files = release.unpack(built.image)
    wanted = bundle.slot(tmp_path, "beacon", layer="virtual", board="virtual", compiled=True)
    assert sorted(files) == sorted((p.as_posix(), (tmp_path / p).read_bytes()) for p in wanted)
    assert files[-1][0] == "agent/main.mpy"
    assert all(content[:2] == b"M\x06" for _, content in files)
    assert release.pack(files) == built.image
    facts = built.facts
    assert (facts.counter, facts.board, facts.abi) == (4, b"virtual", 6)
    assert (facts.profile, facts.digest) == (
        codes.PROFILE_BEACON,
        hashlib.sha256(built.image).digest(),
    )
    assert b"".join(built.chunks()) == built.image
    print(
        f"image {len(built.image)} bytes, {len(built.chunks())} chunks, {len(built.manifest)} manifest"
    )


def test_building_twice_gives_the_same_bytes(built):
    again = release.build("beacon", layer="virtual", board="virtual", counter=4)
    assert again.image == built.image


def test_key_build_sign_show(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("FAIRWAY_RELEASE_PASSPHRASE", raising=False)
    key, file = tmp_path / "release.key", tmp_path / "beacon.fwr"
    assert run("key", key) == 0
    public = capsys.readouterr().out.split()[-1]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    words = ["--profile", "beacon", "--layer", "virtual", "--board", "virtual", "--counter", "7"]
    assert run("build", file, *words, "--version", "9.9.9") == 0
    assert "9.9.9, counter 7, beacon for virtual" in (said := capsys.readouterr().out)
    assert "not signed" in said
    assert run("show", file, "--public", public) == 1
    assert run("sign", file, "--key", key) == 0
    assert run("show", file, "--public", public) == 0
    assert "agent/main.mpy" in (said := capsys.readouterr().out)
    assert "signature: genuine" in said
    assert run("show", file, "--public", "00" * 32) == 1
    # What `cryptography` signs, the device's own code verifies.
    made = r.decode(file.read_bytes())
    assert verify(bytes.fromhex(public), made.signature, made.signed)
    assert not verify(bytes.fromhex(public), made.signature, made.signed + b"\x00")


def test_a_key_with_a_passphrase(tmp_path, monkeypatch, built):
    key = tmp_path / "release.key"
    monkeypatch.setenv("FAIRWAY_RELEASE_PASSPHRASE", "quay")
    run("key", key)
    file = tmp_path / "a.fwr"
    file.write_bytes(release.encode(built))
    monkeypatch.setenv("FAIRWAY_RELEASE_PASSPHRASE", "wrong")
    with pytest.raises(CommandError, match=r"release\.key"):
        run("sign", file, "--key", key)
    monkeypatch.setenv("FAIRWAY_RELEASE_PASSPHRASE", "quay")
    assert run("sign", file, "--key", key) == 0


def test_a_key_is_never_written_over(tmp_path):
    key = tmp_path / "release.key"
    key.write_text("precious")
    with pytest.raises(CommandError, match="there already"):
        run("key", key)
    assert key.read_text() == "precious"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["build", "x", "--profile", "beacon", "--layer", "virtual", "--board", "none"], "none"),
        (["show", "absent.fwr"], "absent.fwr"),
        (["sign", "absent.fwr", "--key", "absent.key"], "absent.key"),
    ],
)
def test_failures_are_for_people(tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    extra = ["--counter", "1"] if words[0] == "build" else []
    with pytest.raises(CommandError, match=said):
        run(*words, *extra)


def test_files_that_are_no_release(built):
    good = r.encode(built)
    assert r.decode(good) == built
    cut = r.Release(built.manifest, b"", built.image[:-1], built.facts)
    altered = r.Release(built.manifest, b"", b"?" + built.image[1:], built.facts)
    short = r.Release(built.manifest, b"short", built.image, built.facts)
    long = r.Release(built.manifest + bytes(512), b"", built.image, built.facts)
    wrong = r.Release(b"\x81\x01", b"", built.image, built.facts)
    for raw, code in (
        (b"", "malformed"),
        (good[:-1], "malformed"),
        (b"\x83\x01\x02\x03", "malformed"),
        (b"\x84\x02\x40\x40\x40", "malformed"),
        (b"\x84\x01\x02\x03\x04", "malformed"),
        (bytes(r.SIZE_MAX + 1), "size"),
        (r.encode(cut), "size"),
        (r.encode(altered), "digest"),
        (r.encode(short), "signature"),
        (r.encode(long), "manifest"),
        (r.encode(wrong), "manifest"),
    ):
        with pytest.raises(r.ReleaseError) as refused:
            r.decode(raw)
        assert refused.value.code == code


def test_a_manifest_s_limits(built):
    for change in (
        {"counter": 1 << 32},
        {"size": 0},
        {"digest": b"short"},
        {"version": bytes(17)},
        {"board": bytes(33)},
        {"chunk": 63},
        {"chunk": 2049},
        {"size": 4097 * 1024},
    ):
        facts = built.facts._replace(**change)
        with pytest.raises(r.ReleaseError):
            r.make(facts, built.image)
    assert len(built.manifest) < 100
    assert manifest.SIGNED == b"fw1-release"
