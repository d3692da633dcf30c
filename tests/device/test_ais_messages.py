"""What AIS messages say, bit by bit after the tables of ITU-R M.1371-5, Annex 8."""

import unittest

from sentences import sealed

from agent.sense.ais import AIS
from agent.sense.ais_messages import signed, text, unsigned
from agent.sense.nmea import Assembler
from agent.sense.utc import seconds_since_2020
from agent.wire import schema

ARMOUR = b"0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVW`abcdefghijklmnopqrstuvw"

LAT = 18750000  # 31°15' N in 1/10,000 minute
LON = 72900000  # 121°30' E
LAT_E6 = 31250000
LON_E6 = 121500000
MMSI = 412345678


def six_bits(fields):
    """Return pairs, one behind another, as six-bit values and the number of void bits at the end.

    A pair is `(width in bits, number)` or `(width in characters, text)`, filled with @; a tuple of
    pairs may stand for one.
    """
    out = []
    have = value = 0
    for width, field in flat(fields):
        for i in range(width - 1, -1, -1):
            value = value << 1 | field >> i & 1
            have += 1
            if have == 6:
                out.append(value)
                have = value = 0
    void = -have % 6
    if have:
        out.append(value << void)
    return bytes(out), void


def flat(fields):
    for field in fields:
        if not field or isinstance(field[0], tuple):
            yield from flat(field)
        elif isinstance(field[1], bytes):
            for i in range(field[0]):
                yield 6, field[1][i] & 0x3F if i < len(field[1]) else 0
        else:
            yield field


def reports(*messages):
    """Return what messages, each a tuple of pairs, are reported as: [(schema, fields)]."""
    ais = AIS()
    for fields in messages:
        six, void = six_bits(fields)
        feed(ais, b"AIVDM,1,1,,A," + bytes(ARMOUR[c] for c in six) + b",%d" % void)
    return fetch(ais)


def feed(ais, body):
    data = sealed(body, b"!")
    assembler = Assembler()
    assembler.feed(data, len(data))
    ais.take(assembler.next_sentence(), 0)


def fetch(ais):
    if ais.bad:
        raise AssertionError("bad is %d" % ais.bad)
    found = []
    while True:
        report = ais.next_report()
        if report is None:
            return found
        fields = schema.SCHEMAS[report[0]][3]
        found.append((report[0], {field[0]: report[1][i] for i, field in enumerate(fields)}))


def class_a(kind=1, status=0, turn=0, sog=87, lat=LAT, lon=LON, cog=3359, heading=100, second=46):
    return (
        (6, kind), (2, 0), (30, MMSI), (4, status), (8, turn), (10, sog), (1, 1), (28, lon),
        (27, lat), (12, cog), (9, heading), (6, second), (2, 0), (3, 0), (1, 1), (19, 0),
    )  # fmt: skip


def class_b(sog=87, lat=LAT, lon=LON, cog=3359, heading=100, second=46, raim=1):
    return (
        (6, 18), (2, 3), (30, MMSI), (8, 255), (10, sog), (1, 0), (28, lon), (27, lat), (12, cog),
        (9, heading), (6, second), (2, 3), (1, 1), (1, 1), (1, 1), (1, 1), (1, 1), (1, 1),
        (1, raim), (20, 0xFFFFF),
    )  # fmt: skip


def class_b_extended():
    return (
        (6, 19), (2, 0), (30, MMSI), (8, 0), (10, 87), (1, 0), (28, LON), (27, LAT), (12, 3359),
        (9, 100), (6, 46), (4, 15), (20, b"XIN HAI"), (8, 70), (9, 5), (9, 21), (6, 4), (6, 3),
        (4, 1), (1, 1), (1, 0), (1, 0), (4, 0),
    )  # fmt: skip


def long_range(status=5, lat=31 * 600, lon=-121 * 600, sog=12, cog=270):
    return (
        (6, 27), (2, 0), (30, MMSI), (1, 1), (1, 1), (4, status), (18, lon), (17, lat), (6, sog),
        (9, cog), (1, 0), (1, 0),
    )  # fmt: skip


def base(year=2026, month=8, day=5, hour=5, minute=52, second=34):
    return (
        (6, 4), (2, 0), (30, 4131403), (14, year), (4, month), (5, day), (5, hour), (6, minute),
        (6, second), (1, 1), (28, LON), (27, LAT), (4, 7), (10, 0), (1, 1), (19, 0),
    )  # fmt: skip


def voyage(imo=9134270, callsign=b"BQRS", name=b"HAI XUN 01", size=(100, 28, 8, 9), eta=(5, 15, 14, 30),
           draught=55, end=((20, b"SHANGHAI"), (1, 0), (1, 0))):  # fmt: skip
    return (
        (6, 5), (2, 0), (30, MMSI), (2, 0), (30, imo), (7, callsign), (20, name),
        (8, 55), (9, size[0]), (9, size[1]), (6, size[2]), (6, size[3]), (4, 1), (4, eta[0]),
        (5, eta[1]), (5, eta[2]), (6, eta[3]), (8, draught), end,
    )  # fmt: skip


def part_b(mmsi=MMSI, callsign=b"BXYZ1", maker=b"ABC", model=3, serial=70000,
           size=((9, 5), (9, 21), (6, 4), (6, 3))):  # fmt: skip
    return (
        (6, 24), (2, 0), (30, mmsi), (2, 1), (8, 37), (3, maker), (4, model), (20, serial),
        (7, callsign), size, (4, 1), (2, 0),
    )  # fmt: skip


def aid(name=b"CHANGJIANGKOU 12", extension=(), kind=25, off=1, second=33, virtual=0, lat=LAT):
    return (
        (6, 21), (2, 0), (30, 994131001), (5, kind), (20, name), (1, 1), (28, LON), (27, lat),
        (9, 1), (9, 2), (6, 3), (6, 4), (4, 7), (6, second), (1, off), (8, 0xE4), (1, 1),
        (1, virtual), (1, 0), (1, 0), extension,
    )  # fmt: skip


class Bits(unittest.TestCase):
    def test_every_place_and_width(self):
        six = bytes(range(1, 21))
        whole = "".join(["0" * (6 - len(bin(c)[2:])) + bin(c)[2:] for c in six])
        for start in range(len(whole)):
            for width in range(1, min(30, len(whole) - start) + 1):
                expected = int(whole[start : start + width], 2)
                self.assertEqual(unsigned(six, start, width), expected)
                if expected >> (width - 1):
                    expected -= 1 << width
                self.assertEqual(signed(six, start, width), expected)

    def test_text(self):
        for string, expected in (
            (b"ABC", b"ABC"),
            (b"ABCDEF", b"ABCDEF"),
            (b" A B  ", b" A B"),
            (b"A@?/.-", b"A"),
            (b"@ABC", None),
            (b"   ", None),
            (b"", None),
            (b"_!?\\09", b"_!?\\09"),
        ):
            self.assertEqual(text(six_bits(((6, string),))[0], 0, 6), expected)


class Positions(unittest.TestCase):
    def check_report(self, message, schema_id, **expected):
        """Check the values of one message's report; fields not given are None."""
        found = reports(message)
        self.assertEqual(len(found), 1)
        self.assertEqual(found[0][0], schema_id)
        for name, value in found[0][1].items():
            self.assertEqual(value, expected.get(name), name)
        for name in expected:
            self.assertTrue(name in found[0][1], name)

    def test_class_a(self):
        for kind in (1, 2, 3):
            self.check_report(
                class_a(kind=kind, status=5, turn=-127 & 0xFF), schema.AIS, type=kind, mmsi=MMSI,
                lat_e6=LAT_E6, lon_e6=LON_E6, sog_dkn=87, cog_dd=3359, heading_deg=100,
                nav_status=5, turn=-127, accuracy=1, second=46, raim=1,
            )  # fmt: skip

    def test_not_available(self):
        self.check_report(
            class_a(status=15, turn=0x80, sog=1023, lat=91 * 600000, lon=181 * 600000, cog=3600,
                    heading=511, second=60),
            schema.AIS, type=1, mmsi=MMSI, nav_status=15, turn=-128, accuracy=1, second=60, raim=1,
        )  # fmt: skip

    def test_values_without_meaning(self):
        self.check_report(
            class_a(lat=90 * 600000 + 1, cog=3601, heading=360),
            schema.AIS, type=1, mmsi=MMSI, nav_status=0, turn=0, sog_dkn=87, accuracy=1, second=46,
            raim=1,
        )  # fmt: skip

    def test_ends_of_the_ranges(self):
        self.check_report(
            class_a(sog=1022, lat=-90 * 600000, lon=-180 * 600000, cog=3599, heading=359, second=63),
            schema.AIS, type=1, mmsi=MMSI, lat_e6=-90000000, lon_e6=-180000000, sog_dkn=1022,
            cog_dd=3599, heading_deg=359, nav_status=0, turn=0, accuracy=1, second=63, raim=1,
        )  # fmt: skip

    def test_thirds_of_a_millionth_round_to_nearest(self):
        for raw, e6 in ((0, 0), (1, 2), (2, 3), (3, 5), (-1, -2), (-2, -3), (-3, -5)):
            found = reports(class_a(lat=raw, lon=raw))[0][1]
            self.assertEqual((found["lat_e6"], found["lon_e6"]), (e6, e6))

    def test_class_b(self):
        self.check_report(
            class_b(), schema.AIS, type=18, mmsi=MMSI, lat_e6=LAT_E6, lon_e6=LON_E6, sog_dkn=87,
            cog_dd=3359, heading_deg=100, accuracy=0, second=46, raim=1,
        )  # fmt: skip

    def test_class_b_extended_makes_two_reports(self):
        first, second = reports(class_b_extended())
        self.assertEqual((first[0], second[0]), (schema.AIS, schema.AIS_STATIC))
        self.assertEqual((first[1]["type"], first[1]["sog_dkn"], first[1]["raim"]), (19, 87, 1))
        self.assertEqual((first[1]["lat_e6"], first[1]["lon_e6"]), (LAT_E6, LON_E6))
        expected = {
            "type": 19, "mmsi": MMSI, "name": b"XIN HAI", "ship_type": 70, "to_bow_m": 5,
            "to_stern_m": 21, "to_port_m": 4, "to_starboard_m": 3, "epfd": 1,
        }  # fmt: skip
        for name, value in second[1].items():
            self.assertEqual(value, expected.get(name), name)

    def test_long_range(self):
        self.check_report(
            long_range(), schema.AIS, type=27, mmsi=MMSI, lat_e6=31000000, lon_e6=-121000000,
            sog_dkn=120, cog_dd=2700, nav_status=5, accuracy=1, raim=1,
        )  # fmt: skip
        for lat, lon in ((1, -1), (-1, 1)):
            found = reports(long_range(lat=lat, lon=lon))[0][1]
            self.assertEqual((found["lat_e6"], found["lon_e6"]), (1667 * lat, 1667 * lon))

    def test_long_range_not_available(self):
        self.check_report(
            long_range(lat=91 * 600, lon=181 * 600, sog=63, cog=511),
            schema.AIS, type=27, mmsi=MMSI, nav_status=5, accuracy=1, raim=1,
        )  # fmt: skip

    def test_base_station(self):
        at = seconds_since_2020(2026, 8, 5, 21154)
        self.check_report(
            base(), schema.AIS, type=4, mmsi=4131403, lat_e6=LAT_E6, lon_e6=LON_E6, accuracy=1,
            raim=1, utc_s2020=at,
        )  # fmt: skip

    def test_base_station_without_time(self):
        for change in ({"year": 0}, {"month": 0}, {"day": 0}, {"hour": 24}, {"minute": 60},
                       {"second": 60}, {"year": 10196}, {"month": 2, "day": 30}, {"year": 2100}):  # fmt: skip
            found = reports(base(**change))[0][1]
            self.assertEqual((found["utc_s2020"], found["lat_e6"]), (None, LAT_E6))


class Statics(unittest.TestCase):
    def test_voyage(self):
        schema_id, found = reports(voyage())[0]
        self.assertEqual(schema_id, schema.AIS_STATIC)
        expected = {
            "type": 5, "mmsi": MMSI, "imo": 9134270, "callsign": b"BQRS", "name": b"HAI XUN 01",
            "ship_type": 55, "to_bow_m": 100, "to_stern_m": 28, "to_port_m": 8, "to_starboard_m": 9,
            "epfd": 1, "eta": 5151430, "draught_dm": 55, "destination": b"SHANGHAI",
        }  # fmt: skip
        for name, value in found.items():
            self.assertEqual(value, expected.get(name), name)

    def test_voyage_not_available(self):
        found = reports(
            voyage(imo=0, callsign=b"", name=b"", size=(0, 0, 0, 0), eta=(0, 0, 24, 60), draught=0,
                   end=((20, b"    "), (2, 0)))
        )[0][1]  # fmt: skip
        expected = {"type": 5, "mmsi": MMSI, "ship_type": 55, "epfd": 1}
        for name, value in found.items():
            self.assertEqual(value, expected.get(name), name)

    def test_a_size_without_reference_point(self):
        found = reports(voyage(size=(0, 128, 0, 17)))[0][1]
        self.assertEqual((found["to_bow_m"], found["to_stern_m"]), (0, 128))
        self.assertEqual((found["to_port_m"], found["to_starboard_m"]), (0, 17))

    def test_part_of_the_eta(self):
        self.assertEqual(reports(voyage(eta=(5, 15, 24, 60)))[0][1]["eta"], 5152460)
        self.assertEqual(reports(voyage(eta=(15, 31, 31, 63)))[0][1]["eta"], 15313163)

    def test_a_voyage_that_lacks_its_last_bits(self):
        # 420 bits: the destination's last character is not wholly there.
        for end, expected in (
            (((20, b"ABCDEFGHIJKLMNOPQRST"), (2, 0)), b"ABCDEFGHIJKLMNOPQRST"),
            (((19, b"ABCDEFGHIJKLMNOPQRS"), (4, 5)), b"ABCDEFGHIJKLMNOPQRS"),
        ):
            self.assertEqual(reports(voyage(end=end))[0][1]["destination"], expected)

    def test_part_a(self):
        message = ((6, 24), (2, 0), (30, MMSI), (2, 0), (20, b"POLEPOLE"))
        expected = {"type": 24, "mmsi": MMSI, "part": 0, "name": b"POLEPOLE"}
        for tail in ((), ((8, 0),), ((30, 0x3FFFFFFF), (8, 255))):
            for name, value in reports((message, tail))[0][1].items():
                self.assertEqual(value, expected.get(name), name)

    def test_part_b(self):
        expected = {
            "type": 24, "mmsi": MMSI, "part": 1, "callsign": b"BXYZ1", "ship_type": 37,
            "to_bow_m": 5, "to_stern_m": 21, "to_port_m": 4, "to_starboard_m": 3, "epfd": 1,
            "vendor": b"ABC\x31\x11\x70",
        }  # fmt: skip
        for name, value in reports(part_b())[0][1].items():
            self.assertEqual(value, expected.get(name), name)

    def test_part_b_of_a_craft_names_its_mother_ship(self):
        found = reports(part_b(mmsi=982345678, size=((30, 412000001),)))[0][1]
        self.assertEqual(found["mothership"], 412000001)
        self.assertEqual((found["to_bow_m"], found["to_starboard_m"]), (None, None))
        self.assertEqual(reports(part_b())[0][1]["mothership"], None)

    def test_part_b_without_vendor(self):
        self.assertEqual(reports(part_b(maker=b"", model=0, serial=0))[0][1]["vendor"], None)
        self.assertEqual(
            reports(part_b(maker=b"A", model=15, serial=0xFFFFF))[0][1]["vendor"],
            b"A@@\xff\xff\xff",
        )


class Aids(unittest.TestCase):
    def test_aid(self):
        schema_id, found = reports(aid())[0]
        self.assertEqual(schema_id, schema.AIS_ATON)
        expected = {
            "mmsi": 994131001, "aid_type": 25, "name": b"CHANGJIANGKOU 12", "lat_e6": LAT_E6,
            "lon_e6": LON_E6, "accuracy": 1, "off_position": 1, "status": 0xE4, "virtual": 0,
            "second": 33, "epfd": 7, "to_bow_m": 1, "to_stern_m": 2, "to_port_m": 3,
            "to_starboard_m": 4, "raim": 1, "assigned": 0,
        }  # fmt: skip
        for name, value in found.items():
            self.assertEqual(value, expected.get(name), name)

    def test_virtual_without_position(self):
        found = reports(aid(virtual=1, off=0, lat=91 * 600000))[0][1]
        self.assertEqual((found["virtual"], found["off_position"]), (1, 0))
        self.assertEqual((found["lat_e6"], found["lon_e6"]), (None, None))

    def test_name_extension(self):
        full = b"NNG-OSS-S OFFSHORE W"
        for name, extension, expected in (
            (full, ((7, b"INDFARM"),), (full, b"INDFARM")),
            (full, ((7, b"INDFARM"), (4, 0)), (full, b"INDFARM")),
            (full, ((14, b"ABCDEFGHIJKLMN"),), (full, b"ABCDEFGHIJKLMN")),
            (full, ((16, b"ABCDEFGHIJKLMNOP"),), (full, b"ABCDEFGHIJKLMN")),
            (full, ((14, b""),), (full, None)),
            (full, (), (full, None)),
            # The extension counts behind 20 characters only; a blank before it belongs to the name.
            (b"SHORT", ((7, b"GARBAGE"),), (b"SHORT", None)),
            (b"ABCDEFGHIJKLMNOPQRS ", ((4, b"BUOY"),), (b"ABCDEFGHIJKLMNOPQRS ", b"BUOY")),
            (b"ABCDEFGHIJKLMNOPQRS ", (), (b"ABCDEFGHIJKLMNOPQRS", None)),
            (b" " * 20, ((4, b"BUOY"),), (b" " * 20, b"BUOY")),
        ):
            found = reports(aid(name=name, extension=extension))[0][1]
            self.assertEqual((found["name"], found["name_ext"]), expected)


class Vectors(unittest.TestCase):
    """Sentences as they were recorded, decoded by others too."""

    def read(self, *lines):
        self.ais = AIS()
        assembler = Assembler()
        for line in lines:
            assembler.feed(line, len(line))
            self.ais.take(assembler.next_sentence(), 0)
        return fetch(self.ais)

    def test_fixed_structure_that_says_it_is_off_position(self):
        found = self.read(b"!AIVDM,1,1,,A,E>j9driW9WhH@860b37a6P00000@ATm`?Tni000000dh20,4*79")[0][
            1
        ]
        self.assertEqual(
            (found["mmsi"], found["aid_type"], found["off_position"]), (992111851, 3, 1)
        )

    def test_name_in_two_fields(self):
        found = self.read(
            b"!AIVDM,1,1,,B,E>jHDL1W73nWaanah7S39T7a2h;wror=@5nL`A2AISd002CQ1PDS@0,4*39"
        )[0][1]
        self.assertEqual(found["name"] + found["name_ext"], b"NNG-OSS-S OFFSHORE WINDFARM")

    def test_binary_messages_are_counted(self):
        found = self.read(
            b"!AIVDM,1,1,,A,6>l4uk@0w2Td000000U00P0,2*5A",
            b"!AIVDM,1,1,4,B,6>jR0600V:C0>da4P106P00,2*02",
            b"!AIVDM,1,1,,A,6>jQMSP0V:C0>db2@1PRP00,2*5F",
        )
        self.assertEqual((found, self.ais.others, self.ais.counts[6]), ([], 3, 3))


if __name__ == "__main__":
    unittest.main()
