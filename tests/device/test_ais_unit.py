"""The AIS unit on the line: what goes when, the bucket, partial writes, the newest state."""

import random
import unittest

from aid_state import AID, WEATHER, state
from test_ais_write import heard, sentences

from agent.sense.ais_unit import Unit
from agent.sense.ais_write import BINARY, VDM, VDO
from agent.wire import schema


class SlowLine:
    """Takes at most `burst` bytes at a time."""

    def __init__(self, burst=1000):
        self.burst = burst
        self.written = b""

    def write(self, data):
        n = min(len(data), self.burst)
        self.written += bytes(data[:n])
        return n


class Case(unittest.TestCase):
    def setUp(self):
        self.line = SlowLine()
        self.now_s = 0
        self.said = state(t=-1)
        self.weather = WEATHER
        self.plan()

    def plan(self, form=BINARY, dest=4131403, dac=235, aton_s=180, faster_s=60, status_s=3600,
             weather_s=600, tokens=4, refill_s=30):  # fmt: skip
        plan = (form, 1, dest, dac, 0, aton_s, faster_s, status_s, weather_s, tokens, refill_s)
        self.unit = Unit(self.line.write, AID, plan, lambda _: self.said, lambda _: self.weather)

    def run_for(self, seconds):
        """Pass time; return what was sent as [(second, name)]."""
        found = []
        for _ in range(seconds):
            self.unit.poll(self.now_s * 1000)
            for fields in sentences(self.line.written):
                name = fields[0] if fields[0] != "AIVDM" else fields[5][0]
                found.append((self.now_s, name))
            self.line.written = b""
            self.now_s += 1
        return found


class Schedule(Case):
    def test_an_hour_on_position(self):
        found = self.run_for(3600)
        times = {}
        for second, name in found:
            times.setdefault(name, []).append(second)
        self.assertEqual(times["E"], list(range(0, 3600, 180)))
        self.assertEqual(times["AIABM"], [0])
        self.assertEqual(times["AIBBM"], list(range(0, 3600, 600)))
        self.assertEqual((self.unit.sent, self.unit.held), (20 + 1 + 6, 0))
        self.assertEqual(self.run_for(1), [(3600, "E"), (3600, "AIABM"), (3600, "AIBBM")])

    def test_off_position_is_told_at_once_and_more_often(self):
        self.run_for(100)
        self.said = state(off=True)
        found = self.run_for(200)
        self.assertEqual([s for s, name in found if name == "E"], [100, 160, 220, 280])
        self.assertEqual([s for s, name in found if name == "AIABM"], [100])

    def test_a_slower_pace_off_position_is_not_taken(self):
        self.plan(aton_s=60, faster_s=180)
        self.said = state(off=True)
        self.assertEqual([s for s, n in self.run_for(130) if n == "E"], [0, 60, 120])

    def test_what_changes_goes_at_once(self):
        self.run_for(100)
        for change, expected in (
            ({"light": 3}, 1),
            ({"light": 3, "health": True}, 1),
            ({"light": 3, "health": True, "low": True}, 1),
            ({"light": 3, "health": True, "low": True, "inputs": 128}, 1),
            ({"light": 3, "health": True, "low": True, "inputs": 128, "supply_mv": 11000}, 0),
            ({"light": 3, "health": True, "low": True, "inputs": 128, "lat_e6": 31250010}, 0),
        ):
            self.said = state(**change)
            found = self.run_for(40)
            self.assertEqual([n for _, n in found].count("AIABM"), expected, repr(change))

    def test_what_is_not_asked_for_is_not_sent(self):
        for plan, absent in (
            ({"dest": 0}, "AIABM"),
            ({"status_s": 0}, "AIABM"),
            ({"aton_s": 0}, "E"),
            ({"weather_s": 0}, "AIBBM"),
        ):
            self.plan(**plan)
            self.said = state(off=True)
            names = {name for _, name in self.run_for(60)}
            self.assertEqual(names, {"E", "AIABM", "AIBBM"} - {absent})

    def test_without_weather_no_message_8_and_no_token(self):
        self.weather = None
        self.plan(tokens=2)
        self.assertEqual({name for _, name in self.run_for(10)}, {"E", "AIABM"})
        self.assertEqual(self.unit.sent, 2)

    def test_nothing_is_sent_while_nothing_can_be_said(self):
        self.said = None
        self.assertEqual(self.run_for(600), [])
        self.said = state()
        self.assertEqual(self.run_for(1)[0], (600, "E"))

    def test_a_start_at_any_uptime(self):
        self.now_s = 40 * 86400
        self.assertEqual(len(self.run_for(60)), 3)


class Forms(Case):
    def test_whole_messages_of_each_kind(self):
        for form in (VDM, VDO):
            for dac in (235, 250, 0):
                self.plan(form=form, dac=dac)
                self.line.written = b""
                self.unit.poll(0)
                ais = heard(self.line.written, 3)
                self.assertEqual(ais.next_report()[0], schema.AIS_ATON)
                self.assertEqual((ais.owns, ais.others), (3, 0) if form == VDO else (0, 2))

    def test_application_data_alone(self):
        for dac, application in ((235, ">d"), (250, "?`"), (0, "00")):
            self.plan(dac=dac)
            self.line.written = b""
            self.unit.poll(0)
            whole, addressed, broadcast = sentences(self.line.written)
            self.assertEqual(whole[:5], ["AIVDM", "1", "1", "", "A"])
            self.assertEqual(addressed[:7], ["AIABM", "1", "1", "1", "004131403", "1", "6"])
            self.assertEqual(broadcast[:6], ["AIBBM", "1", "1", "2", "1", "8"])
            self.assertEqual((addressed[7][:2], broadcast[6][:2]), (application, "05"))

    def test_the_sender_is_the_aid(self):
        self.plan(form=VDM)
        self.unit.poll(0)
        for fields in sentences(self.line.written):
            six = [ord(c) - (48 if ord(c) < 96 else 56) for c in fields[5]]
            mmsi = sum((six[i // 6] >> (5 - i % 6) & 1) << (37 - i) for i in range(8, 38))
            self.assertEqual(mmsi, AID[0])

    def test_sequence_ids_go_round(self):
        self.plan(tokens=20, refill_s=1)
        for light in (1, 2) * 5:
            self.said = state(light=light)
            self.unit.poll(self.now_s * 1000)
            self.now_s += 1
        lines = sentences(self.line.written)
        found = [int(fields[3]) for fields in lines if fields[0] == "AIABM"]
        self.assertEqual(len(found), 10)
        self.assertTrue(all(0 <= number <= 3 for number in found))
        self.assertEqual(found[2:], [(found[1] + i + 1) % 4 for i in range(8)])


class Bucket(Case):
    def test_a_flickering_contact_does_not_fill_the_channel(self):
        random.seed(4)
        self.plan(weather_s=0)
        sent = []
        for _ in range(3600):
            self.said = state(inputs=random.getrandbits(8))
            sent += self.run_for(1)
        # Four at once, then one in thirty seconds; message 21 keeps its place among them.
        self.assertTrue(118 <= len(sent) <= 124, len(sent))
        self.assertEqual([name for _, name in sent].count("E"), 20)
        times = [s for s, name in sent if name == "E"]
        self.assertTrue(max(b - a for a, b in zip(times, times[1:])) <= 180 + 30)
        self.assertTrue(self.unit.held > 3000)
        self.assertEqual(self.unit.sent, len(sent))

    def test_after_a_storm_the_newest_state_is_told(self):
        self.plan(form=VDM, weather_s=0, tokens=1, refill_s=30)
        for i in range(10):
            self.said = state(inputs=i)
            self.unit.poll(i * 1000)
        self.line.written = b""
        for second in range(10, 62):
            self.unit.poll(second * 1000)
        found = sentences(self.line.written)
        self.assertEqual(len(found), 1)
        payload = found[0][5]
        six = [ord(c) - (48 if ord(c) < 96 else 56) for c in payload]
        inputs = sum((six[i // 6] >> (5 - i % 6) & 1) << (130 - i) for i in range(123, 131))
        self.assertEqual(inputs, 9)

    def test_the_bucket_fills_no_further(self):
        self.run_for(86400 // 24)
        for i in range(10):
            self.said = state(inputs=i)
            self.run_for(1)
        self.assertTrue(self.unit.held >= 5)

    def test_held_counts_what_was_never_given(self):
        self.plan(dest=0, weather_s=0, tokens=0)
        self.run_for(180 * 5)
        self.assertEqual((self.unit.sent, self.unit.held), (0, 4))


class PartialWrites(Case):
    def test_a_line_that_takes_little(self):
        for burst in (1, 7, 50):
            self.line = SlowLine(burst)
            self.plan()
            waits = [self.unit.poll(i * 20) for i in range(600)]
            self.assertEqual(len(sentences(self.line.written)), 3)
            self.assertEqual(waits[0], 20)
            self.assertEqual(waits[-1], 1000)

    def test_a_line_that_takes_nothing_for_a_while(self):
        self.line.burst = 0
        self.assertEqual(self.unit.poll(0), 20)
        self.unit.poll(600000)
        self.assertEqual((self.line.written, self.unit.sent), (b"", 1))
        self.line.burst = 1000
        self.unit.poll(600020)
        # The one that waited in the line, and of each kind the newest.
        self.assertEqual(len(sentences(self.line.written)), 4)


if __name__ == "__main__":
    unittest.main()
