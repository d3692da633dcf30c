"""What charts say that a light does."""

import unittest

from characters import GOOD, REFUSED

from agent.sense import character as c


class Chart(unittest.TestCase):
    def test_class_period_and_flashes(self):
        self.assertTrue(len(GOOD) >= 70)
        for text, kind, period_ms, flashes in GOOD:
            with self.subTest(text):
                it = c.read(text)
                self.assertEqual(
                    (it.kind, it.period_ms, len(it.phases)), (kind, period_ms, 2 * flashes), text
                )
                self.assertEqual(sum(it.phases), period_ms)

    def test_refusals_say_which_text(self):
        for text in REFUSED:
            with self.subTest(text):
                try:
                    got = c.read(text)
                except ValueError as error:
                    self.assertTrue(("light character '%s': " % text) in str(error), str(error))
                else:
                    self.fail("%s was read as %d %s" % (text, got.kind, list(got.phases)))


class Phases(unittest.TestCase):
    def check(self, text, *phases):
        it = c.read(text)
        self.assertEqual(list(it.phases), list(phases), text)
        return it

    def test_lengths_of_common_lanterns(self):
        for text, phases in (
            ("Fl 5s", (500, 4500)),
            ("Fl R 2.5s", (500, 2000)),
            ("Fl(2+1) 15s", (500, 1000, 500, 2500, 500, 10000)),
            ("LFl 10s", (2000, 8000)),
            ("Q", (300, 700)),
            ("VQ", (200, 300)),
            ("UQ", (100, 150)),
            ("VQ(3) 5s", (200, 300, 200, 300, 200, 3800)),
            ("VQ(6)+LFl 10s", (200, 300) * 6 + (2000, 5000)),
            ("Q(6)+LFl 15s", (300, 700) * 6 + (2000, 7000)),
            ("Fl(2)+LFl 20s", (500, 1000) * 2 + (2000, 15000)),
            ("IQ 10s", (300, 700) * 6 + (300, 3700)),
            ("Iso 5s", (2500, 2500)),
            ("Oc 6s", (5000, 1000)),
            ("Oc(2) 8s", (5000, 1000, 1000, 1000)),
            ("Oc(2+1) 15s", (8500, 1000, 1000, 1000, 2500, 1000)),
            ("Mo(A) 8s", (500, 500, 1500, 5500)),
            ("Mo(AE) 20s", (500, 500, 1500, 1500, 500, 15500)),
            ("Al.Bu.Y 3s", (1000, 500, 1000, 500)),
            ("Al Fl WR 10s", (500, 4500, 500, 4500)),
            ("Al Oc WR 10s", (4000, 1000, 4000, 1000)),
        ):
            self.assertEqual(self.check(text, *phases).exact, False, text)

    def test_every_morse_letter(self):
        marks = (
            ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- "
            "...- .-- -..- -.-- --.."
        ).split()
        for i in range(26):
            phases = c.read("Mo(%s) 30s" % chr(65 + i)).phases
            sent = "".join("-" if on == 1500 else "." for on in list(phases)[::2])
            self.assertEqual(sent, marks[i])

    def test_short_periods_shrink_a_group(self):
        self.check("Fl(2) 2s", 240, 480, 240, 1040)
        self.check("Oc(2) 4s", 2500, 500, 500, 500)

    def test_a_long_flash_does_not_shrink(self):
        self.check("LFl(2) 10s", 2000, 800, 2000, 5200)

    def test_given_lengths_are_exact(self):
        for text, phases in (
            ("Fl(2) R 6s (0.3+0.7+0.3+4.7)", (300, 700, 300, 4700)),
            ("Al.Bu.Y 3s (1.0 Bu+0.5+1.0 Y+0.5)", (1000, 500, 1000, 500)),
            ("Mo(U) (0.4+0.4+0.4+0.4+1.2+5)", (400, 400, 400, 400, 1200, 5000)),
            ("IQ 10s (0.5+0.5+0.5+0.5+0.5+7.5)", (500, 500, 500, 500, 500, 7500)),
            ("0.5+(1),0.5+(4)", (500, 1000, 500, 4000)),
            ("(1)+5", (5000, 1000)),
            ("(1) + 5 , (0.125) + 2", (5000, 125, 2000, 1000)),
        ):
            self.assertTrue(self.check(text, *phases).exact, text)

    def test_what_is_wrong_is_said(self):
        for text, wanted in (
            ("Fl R", "period is missing"),
            ("Fl Rd 4s", "'D4S' is no colour"),
            ("Flicker", "no colour"),
            ("Blink 4s", "it is not like"),
            ("Q(9) 9s", "too short"),
            ("Q 5s", "not that of a quick light"),
            ("Fl 90s", "no length up to 60 s"),
            ("0.5+1", "do not alternate"),
            ("Fl R 6s (0.3+5.6)", "do not fit"),
        ):
            try:
                c.read(text)
                self.fail(text)
            except ValueError as error:
                self.assertTrue(wanted in str(error), str(error))
