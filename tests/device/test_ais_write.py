"""AIS messages composed by the agent: bits, armour, lines; read again by the agent's own reader."""

import unittest

from aid_state import AID, NO_WEATHER, WEATHER, state

from agent.sense import ais_compose
from agent.sense.ais import AIS
from agent.sense.ais_write import BINARY, VDM, VDO, Bits, lines
from agent.sense.nmea import Assembler
from agent.wire import schema


def sentences(data, limit=82):
    """Return the sentences of `data` as lists of fields; AssertionError for a bad or long one."""
    found = []
    for line in data.split(b"\r\n")[:-1]:
        if len(line) + 2 > limit:
            raise AssertionError("%d characters" % (len(line) + 2))
        assembler = Assembler(limit)
        assembler.feed(line, len(line))
        sentence = assembler.next_sentence()
        if sentence is None or line[:1] != b"!":
            raise AssertionError(repr(line))
        found.append([str(sentence.copy(i), "ascii") for i in range(sentence.fields + 1)])
    return found


def heard(data, count=1):
    """Return the values of the reports that the agent's reader makes of `data`."""
    ais = AIS()
    assembler = Assembler()
    assembler.feed(data, len(data))
    while True:
        sentence = assembler.next_sentence()
        if sentence is None:
            break
        ais.take(sentence, 0)
    if ais.bad or ais.torn or assembler.bad or sum(ais.counts) + ais.owns != count:
        raise AssertionError(repr(data))
    return ais


def of(size):
    """Return `size` bits, all ones."""
    bits = Bits()
    for _ in range(size):
        bits.put(b"\x01", (1,))
    return bits


class Lines(unittest.TestCase):
    def test_addressed(self):
        for size, rooms in ((6, [1]), (288, [48]), (294, [48, 1]), (360, [48, 12])):
            found = sentences(lines(of(size), BINARY, 6, 994131403, 3, 2))
            self.assertEqual([len(fields[7]) for fields in found], rooms)
            total = str(len(rooms))
            self.assertEqual(found[0][:7], ["AIABM", total, "1", "3", "994131403", "2", "6"])
            for i, fields in enumerate(found[1:]):
                self.assertEqual(fields[:7], ["AIABM", total, str(i + 2), "3", "", "", ""])

    def test_a_short_destination_keeps_its_nine_digits(self):
        found = sentences(lines(of(48), BINARY, 6, 4131403, 0, 0))
        self.assertEqual(found[0][4], "004131403")

    def test_broadcast(self):
        for size, rooms in ((320, [54]), (348, [58]), (349, [58, 1]), (360, [58, 2])):
            found = sentences(lines(of(size), BINARY, 8, 0, 0, 3))
            self.assertEqual([len(fields[6]) for fields in found], rooms)
            total = str(len(rooms))
            self.assertEqual(found[0][:6], ["AIBBM", total, "1", "0", "3", "8"])
            for fields in found[1:]:
                self.assertEqual(fields[:6], ["AIBBM", total, "2", "0", "", ""])

    def test_whole_messages(self):
        for form, name in ((VDM, "AIVDM"), (VDO, "AIVDO")):
            for channel, letter in enumerate(("", "A", "B", "")):
                found = sentences(lines(of(360), form, 21, 0, 2, channel))
                self.assertEqual(found, [[name, "1", "1", "", letter, "w" * 60, "0"]])

    def test_longer_than_a_line(self):
        bits = of(360)
        bits.six = bytearray(b"\x3f" * 130)
        bits.size = 726
        found = sentences(lines(bits, VDM, 8, 0, 2, 1))
        self.assertEqual([len(fields[5]) for fields in found], [60, 60, 1])
        self.assertEqual([fields[1:5] for fields in found], [["3", n, "2", "A"] for n in "123"])
        self.assertEqual([fields[6] for fields in found], ["0", "0", "0"])
        bits.size = 363
        found = sentences(lines(bits, VDM, 8, 0, 2, 1))
        self.assertEqual([fields[1:5] for fields in found], [["2", n, "2", "A"] for n in "12"])
        self.assertEqual([fields[6] for fields in found], ["0", "3"])
        bits.size = 726
        found = sentences(lines(bits, BINARY, 6, 994131403, 2, 1))
        self.assertEqual([len(fields[7]) for fields in found], [48, 59, 14])
        found = sentences(lines(bits, BINARY, 8, 0, 2, 1))
        self.assertEqual([len(fields[6]) for fields in found], [58, 60, 3])

    def test_fill_bits(self):
        for size in range(1, 360):
            found = sentences(lines(of(size), VDM, 8, 0, 0, 1))
            self.assertEqual(found[0][-1], str(-size % 6))
            self.assertEqual(len(found[0][5]), (size + 5) // 6)

    def test_every_six_bits(self):
        bits = Bits()
        for i in range(60):
            bits.put(b"\x06", (i,))
        armour = "0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVW`abcdefghijklmnopqrstuvw"
        self.assertEqual(sentences(lines(bits, VDM, 8, 0, 0, 0))[0][5], armour[:60])

    def test_numbers(self):
        bits = Bits()
        bits.put(b"\x04\x1b\x05\x1e\x06", (-1, -54000000, 3, (1 << 30) - 1, False))
        whole = "".join(str(bits.six[i // 6] >> (5 - i % 6) & 1) for i in range(bits.size))
        self.assertEqual(whole[:4], "1111")
        self.assertEqual(int(whole[4:31], 2), (1 << 27) - 54000000)
        self.assertEqual(whole[31:], "00011" + "1" * 30 + "000000")

    def test_text(self):
        bits = Bits()
        bits.text("aZ 0?_`\u822a", 10)
        self.assertEqual(bytes(bits.six[:10]), b"\x01\x1a\x20\x30\x3f\x1f\x3f\x3f\x00\x00")
        self.assertEqual(bits.size, 60)


class Aton(unittest.TestCase):
    """Message 21, read again; in the order of the schema `ais-aton`."""

    def read(self, said, aid=AID, form=VDM):
        bits = Bits()
        ais_compose.aton(bits, aid, said)
        ais = heard(lines(bits, form, 21, 0, 0, 1))
        schema_id, values = ais.next_report()
        self.assertEqual((schema_id, ais.own), (schema.AIS_ATON, form == VDO))
        self.assertEqual(bits.size % 8, 0)
        return {field[0]: values[i] for i, field in enumerate(schema.SCHEMAS[schema_id][3])}

    def expect(self, found, **fields):
        for name, value in fields.items():
            self.assertEqual(found[name], value, name)

    def test_usual(self):
        for form in (VDM, VDO):
            self.expect(
                self.read(state(), form=form),
                mmsi=994131234, aid_type=30, name=b"WUSONG KOU 12", name_ext=None, accuracy=1,
                lat_e6=31250000, lon_e6=121500000, off_position=0, status=0xE2, virtual=0,
                second=17, epfd=1, to_bow_m=2, to_stern_m=3, to_port_m=1, to_starboard_m=4, raim=0,
                assigned=0,
            )  # fmt: skip

    def test_names_of_every_length(self):
        text = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        for length in range(len(text) + 1):
            name = text[:length].encode()
            found = self.read(state(), AID[:2] + (text[:length],) + AID[3:])
            self.expect(found, name=name[:20] or None, name_ext=name[20:34] or None)

    def test_places(self):
        for lat in (-90000000, -1, 0, 1, 89999998, 90000000):
            for lon in (-180000000, -2, 0, 5, 179999998, 180000000):
                found = self.read(state(lat_e6=lat, lon_e6=lon))
                # Steps of 1/10,000 minute are 1.67 of ours.
                self.assertTrue(abs(found["lat_e6"] - lat) <= 1, repr((lat, found["lat_e6"])))
                self.assertTrue(abs(found["lon_e6"] - lon) <= 1, repr((lon, found["lon_e6"])))

    def test_no_place(self):
        found = self.read(state(lat_e6=None, lon_e6=None, off=True))
        self.expect(found, lat_e6=None, lon_e6=None, second=60, off_position=0)

    def test_off_position_is_said_of_floating_aids_with_a_second(self):
        for kind, second, off, expected in (
            (30, 0, True, (1, 0)),
            (30, 59, True, (1, 59)),
            (20, 17, True, (1, 17)),
            (31, 17, False, (0, 17)),
            (19, 17, True, (0, 17)),
            (0, 17, True, (0, 17)),
            (30, None, True, (0, 60)),
            (30, 17, None, (0, 60)),
        ):
            found = self.read(state(second=second, off=off), (AID[0], kind) + AID[2:])
            self.assertEqual((found["off_position"], found["second"]), expected)

    def test_a_surveyed_aid(self):
        aid = (993131234, 5, "SHE SHAN", 7, 0, 0, 0, 0, 0)
        found = self.read(state(off=True), aid)
        self.expect(found, second=61, epfd=7, off_position=0, to_bow_m=None)

    def test_status(self):
        for light in range(4):
            for racon in range(4):
                for health in (False, True):
                    status = 0xE0 | racon << 3 | light << 1 | health
                    found = self.read(state(light=light, racon=racon, health=health))
                    self.assertEqual(found["status"], status)

    def test_a_low_battery_is_no_bad_health(self):
        self.expect(self.read(state(low=True, supply_mv=None)), status=0xE2)

    def test_ends(self):
        aid = ((1 << 30) - 1, 31, "", 15, 1, 600, 511, 64, 63)
        self.expect(
            self.read(state(accuracy=False), aid),
            mmsi=(1 << 30) - 1, aid_type=31, name=None, epfd=15, virtual=1, accuracy=0,
            to_bow_m=511, to_stern_m=511, to_port_m=63, to_starboard_m=63,
        )  # fmt: skip


class Binary(unittest.TestCase):
    """Messages 6 and 8, against frames that were on the air."""

    def payload(self, kind, compose, *arguments, mmsi=0, dest=0, sequence=0):
        bits = Bits()
        ais_compose.head(bits, kind, mmsi, dest, sequence)
        compose(bits, *arguments)
        found = sentences(lines(bits, VDM, kind, dest, 0, 1))
        return found[0][5], found[0][6]

    def test_zeni(self):
        said = state(supply_mv=14800, lamp_ma=0, light=2)
        self.assertEqual(
            self.payload(6, ais_compose.zeni, 0, said, mmsi=994131405, dest=4131403),
            ("6>l4uk@0w2Td000000U00P0", "2"),
        )

    def test_gla(self):
        for mmsi, dest, volts, payload in (
            (992509976, 2500912, (13700, 50, 50), "6>jR0600V:C0>da4P106P00"),
            (992501134, 2500912, (26050, 50, 26000), "6>jQMSP0V:C0>db2@1PRP00"),
        ):
            said = state(
                supply_mv=volts[0], first_mv=volts[1], second_mv=volts[2], light=2, racon=2
            )
            self.assertEqual(
                self.payload(6, ais_compose.gla, 235, said, mmsi=mmsi, dest=dest), (payload, "2")
            )

    def test_nothing_measured(self):
        # gpsd's sample of a KanAton3 with everything "not available": 29th, 23:24.
        said = state(t=218157840, lat_e6=53294933, lon_e6=-6134067, accuracy=False)
        self.assertEqual(
            self.payload(8, ais_compose.weather, said, NO_WEATHER, mmsi=992509977),
            ("8>jR06@0Gwli:QQUP3en?wvlFR06EuOwgwl?wnSwe7wvlOwwsAwwnSGmwvh0", "0"),
        )

    def test_application_data_alone_are_those_of_the_whole_message(self):
        for kind, start, compose, arguments in (
            (6, 72, ais_compose.gla, (250, state(inputs=0xA5, off=True, health=True))),
            (6, 72, ais_compose.zeni, (0xBEEF, state(low=True))),
            (8, 40, ais_compose.weather, (state(), WEATHER)),
        ):
            whole = Bits()
            ais_compose.head(whole, kind, 994131234, 4131403, 1)
            self.assertEqual(whole.size, start)
            compose(whole, *arguments)
            part = Bits()
            compose(part, *arguments)
            self.assertEqual(whole.size, 136 if kind == 6 else 360)
            self.assertEqual(part.size, whole.size - start)
            for i in range(part.size):
                at = start + i
                self.assertEqual(
                    part.six[i // 6] >> (5 - i % 6) & 1, whole.six[at // 6] >> (5 - at % 6) & 1
                )
            self.assertTrue(len(sentences(lines(part, BINARY, kind, 4131403, 1, 0))) <= 2)
            heard(lines(whole, VDO, kind, 4131403, 1, 0))


if __name__ == "__main__":
    unittest.main()
