"""Our simulated DL/T 645 meter against every frame of reference/shore-power.md §3.2 and §3.3."""

import asyncio
from datetime import datetime

import pytest

from simulators.sensors.dlt645_meter import PERMIT, TRIP, DLT645Meter, Error

PILE = "202410010001"


def frames(text):
    return bytes.fromhex(text)


def meter(address=PILE, *, shown=None, **settings):
    made = DLT645Meter(address, **settings)
    made.wakeups = 0
    made.set(shown or {})
    return made


def say(made, request):
    return made.answers(bytearray(request))


def written(address, control, payload):
    """A frame by other means than the meter's."""
    body = [0x68, *bytes.fromhex(address)[::-1], 0x68, control, len(payload)]
    body += [(byte + 0x33) % 256 for byte in payload]
    return bytes([*body, sum(body) % 256, 0x16])


def read(address, identifier):
    return written(address, 0x11, identifier.to_bytes(4, "little"))


VECTORS = [
    # (address, quantities, request, answer); requests that the reference has not are written here
    (
        "000000000001",
        {"import_kwh": 123456.78},
        "68 01 00 00 00 00 00 68 11 04 33 33 34 33 B3 16",
        "68 01 00 00 00 00 00 68 91 08 33 33 34 33 AB 89 67 45 17 16",
    ),
    ("000000000161", {"u_a_v": 100.1}, 0x02010100, "68 61 01 00 00 00 00 68 91 06 33 34 34 35 34 43 10 16"),
    ("000000000161", {"i_a_a": 4.999}, 0x02020100, "68 61 01 00 00 00 00 68 91 07 33 34 35 35 CC 7C 33 16 16"),
    ("000000000161", {"p_kw": 0.2512}, 0x02030000, "68 61 01 00 00 00 00 68 91 07 33 33 36 35 45 58 33 6B 16"),
    ("000000000161", {"pf": 0.501}, 0x02060000, "68 61 01 00 00 00 00 68 91 06 33 33 39 35 34 38 09 16"),
    ("000000000161", {"import_kwh": 0.26}, 0x00010000, "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16"),
    ("123456789012", {}, 0x02FF0000, "68 12 90 78 56 34 12 68 D1 01 35 8D 16"),
    (
        PILE,
        {"f_hz": 50.02},
        "68 01 00 01 10 24 20 68 11 04 35 33 B3 35 8B 16",
        "68 01 00 01 10 24 20 68 91 06 35 33 B3 35 35 83 C5 16",
    ),
    (PILE, {"import_kwh": 999999.97}, 0x00010000, "68 01 00 01 10 24 20 68 91 08 33 33 34 33 CA CC CC CC BA 16"),
    (
        PILE,
        {"u_a_v": 229.8, "u_b_v": 230.1, "u_c_v": 228.9},
        0x0201FF00,
        "68 01 00 01 10 24 20 68 91 0A 33 32 34 35 CB 55 34 56 BC 55 4A 16",
    ),
    (
        PILE,
        {"i_a_a": 12.345, "i_b_a": 12.001, "i_c_a": -0.250},
        0x0202FF00,
        "68 01 00 01 10 24 20 68 91 0D 33 32 35 35 78 56 34 34 53 34 83 35 B3 BB 16",
    ),
    (PILE, {"relay_closed": 0}, 0x04000503, "68 01 00 01 10 24 20 68 91 06 36 38 33 37 83 33 4B 16"),
    ("000000000001", {}, "68 AA AA AA AA AA AA 68 13 00 DF 16", "68 01 00 00 00 00 00 68 93 06 34 33 33 33 33 33 9D 16"),
    ("123456789012", {}, "68 AA AA AA AA AA AA 68 13 00 DF 16", "68 12 90 78 56 34 12 68 93 06 45 C3 AB 89 67 45 07 16"),
]  # fmt: skip


@pytest.mark.parametrize(("address", "shown", "request_", "answer"), VECTORS)
def test_vectors(address, shown, request_, answer):
    request = read(address, request_) if isinstance(request_, int) else frames(request_)
    made = meter(address, shown=shown)
    for wakeups in range(6):
        made.wakeups = wakeups
        assert say(made, b"\xfe" * wakeups + request) == b"\xfe" * wakeups + frames(answer)


def test_nothing_but_its_own_frames_is_answered():
    made = meter("888888888888")
    good = frames("68 88 88 88 88 88 88 68 11 04 33 33 34 33 E2 16")
    answer = say(made, good)
    assert answer[8] == 0x91
    for i in range(len(good)):
        bad = bytearray(good)
        bad[i] ^= 0x10
        assert say(made, bad) == b""
    other = frames("68 01 00 00 00 00 00 68 11 04 33 33 34 33 B3 16")
    assert say(made, other) == b""
    assert say(made, answer) == b""
    for noise in (b"\0\x16\xff", b"\x68", other):
        assert say(made, noise + good) == answer
    # A frequency request that circulates with a wrong sum, and 1997's control code.
    bad = "68 16 00 00 00 15 20 68 11 04 35 33 B3 35 85 16"
    assert say(meter("201500000016"), frames(bad)) == b""
    refusal = say(made, written("888888888888", 0x01, b"\0\0\1\0\0\0"))
    assert refusal[8:11] == bytes([0xC1, 1, 0x33 + Error.OTHER])


def test_the_nasty_prefix_costs_one_question():
    """68 and six FE before a good frame look like the head of a long one; the next question is heard."""
    made = meter("888888888888")
    good = frames("68 88 88 88 88 88 88 68 11 04 33 33 34 33 E2 16")
    line = bytearray(b"\x68" + b"\xfe" * 6 + good)
    said = made.answers(line)
    for _ in range(12):
        line += good
        said += made.answers(line)
    assert said.count(say(made, good)) == 13


def test_wildcards():
    made = meter(shown={"f_hz": 50.02})
    answer = frames("68 01 00 01 10 24 20 68 91 06 35 33 B3 35 35 83 C5 16")
    for pattern in ("AAAAAAAAAAAA", "AAAAAAAA0001", PILE):
        assert say(made, read(pattern, 0x02800002)) == answer
    assert say(made, read("AAAAAAAA0002", 0x02800002)) == b""


def test_follow_up_frames():
    made = meter(shown={"import_kwh": 1.23})
    whole = say(made, read(PILE, 0x0001FF00))
    assert whole[8:10] == b"\x91\x18"
    made.item_max = 8
    parts = [say(made, read(PILE, 0x0001FF00))]
    on = [written(PILE, 0x12, bytes([0, 0xFF, 1, 0, number])) for number in (1, 2, 3)]
    parts += [say(made, request) for request in on]
    assert [part[8] for part in parts] == [0xB1, 0xB2, 0x92, 0xD2]
    assert parts[0][14:-2] + parts[1][14:-3] + parts[2][14:-3] == whole[14:-2]
    assert [part[-3] - 0x33 for part in parts[1:3]] == [1, 2]
    # What is read on was there when the first frame was: a register that counts is not torn.
    say(made, read(PILE, 0x0001FF00))
    made.set({"import_kwh": 2.34})
    assert say(made, on[0]) == parts[1]
    assert say(made, on[0]) == parts[1]  # the same again for who did not hear it
    # The reference's request, of a datum that nobody began to read.
    reference = frames("68 01 00 01 10 24 20 68 12 05 33 32 33 33 34 3C 16")
    assert say(made, reference)[8] == 0xD2


NOW = datetime(2018, 5, 12, 15, 30)  # noqa: DTZ001  (a meter's clock has no zone)


def ordered(address, *, now=NOW, allowed=True):
    orders = []

    def obey(order):
        orders.append(order)
        return allowed

    return meter(address, obey=obey, clock=lambda: now), orders


def test_orders_of_the_reference():
    # Valid to 2018-05-12 15:41:24; its password is 00000000, which ours is not: so the frame is refused
    # for that, and for its age with ours.
    public = frames(
        "68 11 11 11 11 11 11 68 1C 10 33 33 33 33 33 33 33 33 4D 33 57 74 48 45 38 4B 55 16"
    )
    made, orders = ordered("111111111111")
    assert say(made, public)[8:11] == bytes([0xDC, 1, 0x33 + Error.NOT_AUTHORISED])
    trip = frames(
        "68 01 00 01 10 24 20 68 1C 10 35 33 33 33 34 33 33 33 4D 33 8C 8C 56 64 45 59 DD 16"
    )
    permit = frames(
        "68 01 00 01 10 24 20 68 1C 10 35 33 33 33 34 33 33 33 4E 33 8C 8C 56 64 45 59 DE 16"
    )
    made, orders = ordered(PILE)
    done = written(PILE, 0x9C, b"")
    assert [say(made, trip), say(made, permit)] == [done, done]
    assert orders == [TRIP, PERMIT]
    refused = say(ordered(PILE, allowed=False)[0], trip)
    assert refused == written(PILE, 0xDC, b"\x01")
    late, orders = ordered(PILE, now=datetime(2027, 1, 1))  # noqa: DTZ001
    assert say(late, trip)[8:11] == bytes([0xDC, 1, 0x33 + Error.OTHER])
    assert orders == []
    assert say(meter(), trip)[8] == 0xDC  # a meter without a relay
    assert say(ordered("202410010002")[0], trip) == b""


def test_answers_to_orders_are_the_reference_s():
    made, _ = ordered("111111111111")
    trip = written("111111111111", 0x1C, b"\2\0\0\0\0\0\0\0\x1a\0\x24\x41\x15\x12\5\x18")
    assert say(made, trip) == frames("68 11 11 11 11 11 11 68 9C 00 D2 16")
    made, _ = ordered(PILE)
    wrong = written(PILE, 0x1C, b"\2\1\0\0\0\0\0\0\x1a\0\x59\x59\x23\x31\x12\x26")
    assert say(made, wrong) == frames("68 01 00 01 10 24 20 68 DC 01 37 3A 16")


def test_time_by_broadcast():
    made = meter(clock=lambda: NOW)
    request = frames("68 99 99 99 99 99 99 68 08 06 84 55 43 38 39 4A 4B 16")
    assert say(made, request) == b""
    assert str(made.clock) == "2017-06-05 10:22:51"
    assert say(made, written("999999999999", 0x08, b"\x51\x22\x25\5\6\x17")) == b""  # 25 o'clock
    assert len(made.times) == 1


def test_what_follows_from_what_is_told():
    made = meter(
        shown={"u_a_v": 230, "i_a_a": 10, "u_b_v": 230, "i_b_a": 30, "p_kw": 8, "import_kwh": 100}
    )

    def value(identifier):
        payload = say(made, read(PILE, identifier))[14:-2]
        return int(bytes(byte - 0x33 for byte in payload)[::-1].hex())

    assert [value(0x02030000 + 0x100 * i) for i in range(4)] == [80000, 20000, 60000, 0]
    assert value(0x02050000) == 92000  # kVA: 2.3 and 6.9
    assert value(0x02040000) == round((9.2**2 - 8**2) ** 0.5 * 10000)
    assert [value(0x00010000 + 0x100 * i) for i in range(5)] == [10000, 0, 0, 10000, 0]
    made.set({"import_t1_kwh": 20, "import_t4_kwh": 30})
    assert [value(0x00010000 + 0x100 * i) for i in range(5)] == [10000, 2000, 0, 5000, 3000]
    made.set({"import_kwh": 1_000_000.5})
    assert value(0x00010000) == 50


@pytest.mark.parametrize(("name", "most"), [("u_a_v", 999.9), ("i_a_a", 799.999), ("p_kw", 79.9)])
def test_what_it_cannot_show(name, most):
    made = meter()
    made.set({name: most})
    with pytest.raises(ValueError, match=f"{name}: a DL/T 645 meter cannot show"):
        made.set({name: most * 1.1})
    with pytest.raises(ValueError, match="is none of"):
        made.set({"volts": 1})


def test_over_tcp():
    async def main():
        made = meter(shown={"f_hz": 50.02})
        await made.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
        request = frames("68 01 00 01 10 24 20 68 11 04 35 33 B3 35 8B 16")
        answer = frames("68 01 00 01 10 24 20 68 91 06 35 33 B3 35 35 83 C5 16")
        for byte in request:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert await asyncio.wait_for(reader.readexactly(len(answer)), 5) == answer
        await made.stop()
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()

    asyncio.run(main())
