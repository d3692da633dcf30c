"""The AIS unit of an aid: what a board gives it goes on air, whole, and nothing else does."""

import random

import pyais
import pytest

from agent.sense import ais_compose, ais_write
from simulators.sensors.ais import Channels
from simulators.sensors.ais_unit import AidUnit
from simulators.world.aid import Aid, AidSettings
from simulators.world.light import phases
from simulators.world.place import Place
from simulators.world.sea import Sea, SeaSettings
from simulators.world.tide import TideSettings
from simulators.world.weather import WeatherSettings
from simulators.world.wind import WindSettings

START = 1_795_270_000
MMSI = 994131005


@pytest.fixture
def unit():
    sea = Sea(SeaSettings(TideSettings(), WindSettings(), WeatherSettings()), 1, 122.0)
    aid = Aid(sea, Place(31.1, 122.2), AidSettings(), random.Random(1), START,
              floating=True, phases=phases("Fl 4s"))  # fmt: skip
    return AidUnit(MMSI, "C5", "port", aid, random.Random(2), floating=True)


def on_air(unit, seconds=1, start=START):
    channels = Channels()
    channels.stations.append(unit)
    return [
        pyais.decode(*one.sentences)
        for t in range(start, start + seconds)
        for one in channels.transmit(t)
    ]


def bits_of(*sentences):
    """Return a message's bits, fill bits taken off."""
    bits = ""
    for one in sentences:
        text, fill = one.split("*")[0].split(",")[5:]
        values = (ord(letter) - 48 for letter in text)
        bits += "".join(f"{value - 8 * (value > 40):06b}" for value in values)
        bits = bits[: len(bits) - int(fill)]
    return bits


def armour(bits):
    values = (int(bits[i : i + 6].ljust(6, "0"), 2) for i in range(0, len(bits), 6))
    return "".join(chr(v + (48 if v < 40 else 56)) for v in values), -len(bits) % 6


def transmitted(unit):
    channels = Channels()
    channels.stations.append(unit)
    (one,) = channels.transmit(START)
    return pyais.decode(*one.sentences), bits_of(*one.sentences)


def sentence(body):
    total = 0
    for byte in body.encode():
        total ^= byte
    return f"!{body}*{total:02X}"


def synthetic(**fields):
    report = {"msg_type": 21, "mmsi": MMSI, "name": "GIVEN", "lat": 31.2, "lon": 122.3, **fields}
    return pyais.encode_dict(report, sentence_type="VDM", radio_channel="A", seq_id=1)


def test_a_whole_message_is_sent_as_given_and_its_own_rests(unit):
    for line in synthetic(off_position=1, name_ext="MORE OF IT"):
        assert unit.take(line) is None
    (heard,) = on_air(unit)
    assert (heard.msg_type, heard.mmsi, heard.off_position) == (21, MMSI, True)
    assert (heard.name, heard.name_ext) == ("GIVEN", "MORE OF IT")
    assert on_air(unit, 390, START + 1) == []  # the board gives it, so the unit does not
    later = on_air(unit, 200, START + 401)
    assert {message.name for message in later} == {"C5"}
    assert unit.refused == 0


STATE = (200_000_000, 31_100_000, 122_200_000, True, 12, True, 1, 0, False, 12_600, 350, False,
         0, None, None)  # fmt: skip
AIR = (
    83,
    1140,
    99,
    132,
    891,
    115,
    10227,
    15_400,
    170,
    348,
    123,
    2900,
)  # a `weather` record's values


def told(bits, form, kind, dest=0):
    return [
        line.decode("ascii") for line in ais_write.lines(bits, form, kind, dest, 1, 1).splitlines()
    ]


def test_what_the_agent_composes_goes_on_air(unit):
    aid = (MMSI, 24, "C5 LIGHT BUOY WITH AN EXTENSION", 1, 0, 1, 1, 1, 1)
    bits = ais_write.Bits()
    ais_compose.aton(bits, aid, STATE)
    for line in told(bits, ais_write.VDM, 21):
        assert unit.take(line) is None
    heard, _ = transmitted(unit)
    assert (heard.msg_type, heard.mmsi, heard.off_position) == (21, MMSI, True)
    assert heard.name + heard.name_ext == "C5 LIGHT BUOY WITH AN EXTENSION"
    assert (heard.lat, heard.lon) == pytest.approx((31.1, 122.2), abs=2e-6)
    bits = ais_write.Bits()
    ais_compose.weather(bits, STATE, AIR)
    answers = [unit.take(line) for line in told(bits, ais_write.BINARY, 8)]
    assert answers[-1][:-3] == "$AIABK,,,8,1,3"
    heard, _ = transmitted(unit)
    assert (heard.msg_type, heard.mmsi, heard.dac, heard.fid) == (8, MMSI, 1, 31)
    bits = ais_write.Bits()
    ais_compose.gla(bits, 235, STATE)
    answers = [unit.take(line) for line in told(bits, ais_write.BINARY, 6, 4_131_403)]
    assert answers[-1].startswith("$AIABK,004131403,,6,1,3")
    heard, _ = transmitted(unit)
    assert (heard.msg_type, heard.dest_mmsi, heard.dac, heard.fid) == (6, 4131403, 235, 10)
    assert unit.refused == 0


def test_own_report_goes_on_when_another_aids_is_given(unit):
    for line in synthetic(mmsi=994136001):  # a virtual one
        unit.take(line)
    names = [message.name for message in on_air(unit, 200)]
    assert names[0] == "GIVEN"
    assert "C5" in names


def test_abm_becomes_message_6(unit):
    # 136 bits of the reference's 6/0/0 frame, less its header of 88 bits: 14.8 V, light off.
    bits = bits_of("!AIVDM,1,1,,A,6>l4uk@0w2Td000000U00P0,2*5A")[72:]
    text, fill = armour(bits)
    answer = unit.take(sentence(f"AIABM,1,1,2,004131403,1,6,{text},{fill}"))
    assert answer[:-3] == "$AIABK,004131403,,6,2,3"
    heard, sent = transmitted(unit)
    assert (heard.msg_type, heard.mmsi, heard.dest_mmsi, heard.seqno) == (6, MMSI, 4131403, 2)
    assert (heard.dac, heard.fid) == (0, 0)
    assert sent[72:] == bits


def test_bbm_of_two_lines_becomes_message_8(unit):
    bits = "0000000001" + "011111" + "10" * 150  # DAC 1, FI 31
    letters, fill = armour(bits)
    assert unit.take(sentence(f"AIBBM,2,1,7,0,8,{letters[:30]},0")) is None
    answer = unit.take(sentence(f"AIBBM,2,2,7,,,{letters[30:]},{fill}"))
    assert answer[:-3] == "$AIABK,,,8,7,3"
    heard, sent = transmitted(unit)
    assert (heard.msg_type, heard.mmsi, heard.dac, heard.fid) == (8, MMSI, 1, 31)
    assert sent[40:] == bits


@pytest.mark.parametrize(
    "line",
    [
        "!AIVDM,1,1,,A,E>j9driW9WhH@860b37a6P00000@ATm`?Tni000000dh20,4*78",  # checksum
        "$GPGGA,,,,,,0,,,,,,,,*66",
        sentence("AIABM,1,1,2,004131403,1,12,0000,0"),  # a text is not for an aid's unit
        sentence("AIVDM,2,2,1,A,0000,0"),  # its first part is missing
        sentence("AIBBM,1,1,x,0,8,00,0"),
        sentence("AIVDM,1,1,,A,~~,0"),
        sentence("AIVDM,1,1,,A," + 90 * "0" + ",0"),
        "!",
        "\xff\x00",
    ],
)
def test_what_is_wrong_is_refused_and_counted(unit, line):
    assert unit.take(line) is None
    assert unit.refused == 1
    assert on_air(unit) == []


def test_a_silent_unit_sends_nothing_and_forgets_what_it_was_given(unit):
    unit.silent = True
    for line in synthetic():
        unit.take(line)
    assert on_air(unit, 400) == []
    unit.silent = False
    assert {message.name for message in on_air(unit, 200, START + 400)} == {"C5"}


def test_a_full_queue_says_so(unit):
    line = sentence("AIBBM,1,1,1,0,8,00000000,0")
    answers = [unit.take(line) for _ in range(17)]
    assert {answer[:-3] for answer in answers[:16]} == {"$AIABK,,,8,1,3"}
    assert answers[16][:-3] == "$AIABK,,,8,1,2"
    assert unit.refused == 1
