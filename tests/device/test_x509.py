"""Certificates' dates, PEM, and what a device trusts. The reader must bear any bytes."""

import binascii
import unittest

from agent.link.trust import Trust
from agent.link.x509 import X509Error, blocks, check, validity

# Made with the `cryptography` package; tests/link compares with it at random.
UTC_TIMES = """-----BEGIN CERTIFICATE-----
MIIBDzCBtaADAgECAgFNMAoGCCqGSM49BAMCMBExDzANBgNVBAMMBmJ1b3ktMTAe
Fw0xOTEyMzEyMzU5NTlaFw0zMTAzMDEwMDAwMDBaMBExDzANBgNVBAMMBmJ1b3kt
MTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABB1hpHsPmmgfk7pI7XL8xF99VwVN
wBzwuKs4k65BI6EFuAS7+hM+SuIW8/vgzufOvZif0/frwmlAytVdwbUiuEIwCgYI
KoZIzj0EAwIDSQAwRgIhAJGnc4xoYKDeyleXSuPhQ+Ts9r2vzAG2geanLKN37tYj
AiEAyS8cJFnfaKfVMyEtodFc+ydJvynDUBP6ePeQoNoBYww=
-----END CERTIFICATE-----
"""
UTC_BEGINS, UTC_ENDS = -1, 352252800  # 2019-12-31 23:59:59, 2031-03-01
GENERALIZED = """-----BEGIN CERTIFICATE-----
MIIBDzCBt6ADAgECAgFNMAoGCCqGSM49BAMCMBExDzANBgNVBAMMBmJ1b3ktMTAg
Fw0yNjExMDEwMDAwMDBaGA8yMDUwMDEwMTEyMDAwMFowETEPMA0GA1UEAwwGYnVv
eS0xMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEHWGkew+aaB+TukjtcvzEX31X
BU3AHPC4qziTrkEjoQW4BLv6Ez5K4hbz++DO5869mJ/T9+vCaUDK1V3BtSK4QjAK
BggqhkjOPQQDAgNHADBEAiBNlHALppd8KTOs2tN6Ygh+I0BhcUzurw+Gy6MTfGNP
oAIgbTYTw2ywn1VWBJdnY/UaddrX1P92U3h/PilFupEiG1o=
-----END CERTIFICATE-----
"""
GENERALIZED_BEGINS, GENERALIZED_ENDS = 215654400, 946814400  # 2026-11-01, 2050-01-01 12:00
KEY = "-----BEGIN PRIVATE KEY-----\nAAEC\n-----END PRIVATE KEY-----\n"
DAY_S = 86400


def der(pem):
    return blocks(pem, "CERTIFICATE")[0]


class Dates(unittest.TestCase):
    def test_both_forms_of_time(self):
        self.assertEqual(validity(der(UTC_TIMES)), (UTC_BEGINS, UTC_ENDS))
        self.assertEqual(validity(der(GENERALIZED)), (GENERALIZED_BEGINS, GENERALIZED_ENDS))

    def test_any_buffer_will_do(self):
        self.assertEqual(validity(memoryview(der(UTC_TIMES))), (UTC_BEGINS, UTC_ENDS))
        self.assertEqual(validity(bytearray(der(UTC_TIMES))), (UTC_BEGINS, UTC_ENDS))

    def test_what_a_sure_clock_decides(self):
        one = der(GENERALIZED)
        for t, code in (
            (GENERALIZED_BEGINS - 1, "not-yet-valid"),
            (GENERALIZED_BEGINS, None),
            (GENERALIZED_ENDS, None),
            (GENERALIZED_ENDS + 1, "expired"),
        ):
            self.assertEqual(self.code(one, t, True), code)

    def test_what_a_lower_bound_decides(self):
        one = der(GENERALIZED)
        self.assertEqual(self.code(one, 0, False), None)
        self.assertEqual(self.code(one, GENERALIZED_ENDS + 1, False), "expired")

    def code(self, one, t, sure):
        try:
            check(one, t, sure)
        except X509Error as error:
            return error.code
        return None

    def test_how_long_ago_is_said(self):
        with self.assertRaises(X509Error) as caught:
            check(der(UTC_TIMES), UTC_ENDS + 10 * DAY_S, True)
        self.assertEqual(str(caught.exception), "expired: 10 days ago")
        with self.assertRaises(X509Error) as caught:
            check(der(GENERALIZED), GENERALIZED_BEGINS - 1, True)
        self.assertEqual(str(caught.exception), "not-yet-valid: 1 days too early")

    def test_years_before_1950_and_after(self):
        one = der(UTC_TIMES)
        at = one.find(b"191231235959Z")
        for digits, begins in ((b"491231235959Z", 946771199), (b"500101000000Z", -2208988800)):
            altered = one[:at] + digits + one[at + 13 :]
            self.assertEqual(validity(altered)[0], begins)


class Damage(unittest.TestCase):
    def test_every_cut_is_malformed(self):
        one = der(UTC_TIMES)
        for n in range(len(one)):
            with self.assertRaises(X509Error):
                validity(one[:n])

    def test_every_changed_byte_gives_dates_or_malformed(self):
        one = bytearray(der(GENERALIZED))
        malformed = 0
        for i in range(100):
            kept = one[i]
            for value in (0, 0x30, 0x7F, 0x80, 0x81, 0x82, 0x84, 0xFF):
                one[i] = value
                try:
                    begins, ends = validity(one)
                except X509Error as error:
                    self.assertEqual(error.code, "malformed")
                    malformed += 1
                else:
                    self.assertTrue(isinstance(begins, int) and isinstance(ends, int))
            one[i] = kept
        self.assertTrue(malformed > 200, malformed)

    def test_days_that_do_not_exist(self):
        one = der(UTC_TIMES)
        at = one.find(b"191231235959Z")
        for digits in (
            b"190229000000Z",
            b"191301000000Z",
            b"190100000000Z",
            b"190101240000Z",
            b"190101006000Z",
            b"190101000060Z",
            b"1901010000000",
            b"19010100000aZ",
        ):
            with self.assertRaises(X509Error):
                validity(one[:at] + digits + one[at + 13 :])

    def test_nonsense(self):
        for data in (b"", b"\x30", b"\x30\x80", b"\x30\x03\x02\x01\x05", bytes(64), b"\xff" * 64):
            with self.assertRaises(X509Error):
                validity(data)


class PEM(unittest.TestCase):
    def test_only_the_label_asked_for(self):
        text = "a comment\n" + UTC_TIMES + KEY + GENERALIZED
        self.assertEqual(len(blocks(text, "CERTIFICATE")), 2)
        self.assertEqual(blocks(text, "PRIVATE KEY"), [b"\x00\x01\x02"])
        self.assertEqual(blocks(KEY.replace("PRIVATE", "EC PRIVATE"), "PRIVATE KEY"), [])
        self.assertEqual(blocks("", "CERTIFICATE"), [])

    def test_line_endings_of_other_systems(self):
        self.assertEqual(der(UTC_TIMES.replace("\n", "\r\n")), der(UTC_TIMES))

    def test_what_is_not_whole(self):
        for text in (
            UTC_TIMES[:200],
            UTC_TIMES.replace("-----END CERTIFICATE-----", ""),
            "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE",
        ):
            with self.assertRaises(X509Error):
                blocks(text, "CERTIFICATE")

    def test_bounds(self):
        with self.assertRaises(X509Error):
            blocks(UTC_TIMES * 5, "CERTIFICATE")
        with self.assertRaises(X509Error):
            blocks("x" * 8193, "CERTIFICATE")
        long = binascii.b2a_base64(bytes(4097)).decode()
        with self.assertRaises(X509Error):
            blocks("-----BEGIN X-----\n" + long + "-----END X-----\n", "X")


class Trusting(unittest.TestCase):
    def trust(self, ca=UTC_TIMES, cert=None, key=None):
        return Trust({"ca": ca, "cert": cert, "key": key})

    def test_access_that_cannot_be_used(self):
        for access in (
            {},
            {"ca": ""},
            {"ca": KEY},
            {"ca": UTC_TIMES, "cert": GENERALIZED},
            {"ca": UTC_TIMES, "key": KEY},
            {"ca": UTC_TIMES, "cert": GENERALIZED, "key": KEY * 2},
            {"ca": "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n"},
        ):
            with self.assertRaises(X509Error):
                Trust(access)

    def test_a_set_clock_is_the_time(self):
        trust = self.trust()
        trust.at(220000000, 230000000)
        self.assertEqual((trust.t, trust.sure), (220000000, True))

    def test_without_a_clock_it_is_the_floor(self):
        trust = self.trust()
        trust.at(-5, 230000000)
        self.assertEqual((trust.t, trust.sure), (230000000, False))

    def test_but_not_before_our_own_certificate_was_issued(self):
        trust = self.trust(UTC_TIMES, GENERALIZED, KEY)
        trust.at(-5, GENERALIZED_BEGINS - 1000)
        self.assertEqual(trust.t, GENERALIZED_BEGINS)

    def test_nor_before_the_server_s_that_was_just_seen_and_only_once(self):
        trust = self.trust()
        trust.at(-5, 100)
        trust.see(der(GENERALIZED))
        trust.see(der(UTC_TIMES))
        trust.at(-5, 100)
        self.assertEqual((trust.t, trust.sure), (GENERALIZED_BEGINS, False))
        trust.at(-5, 100)
        self.assertEqual(trust.t, 100)

    def test_days_left_until_the_first_ends(self):
        trust = self.trust()
        self.assertEqual(trust.days_left(UTC_ENDS - 61 * DAY_S), 61)
        self.assertEqual(trust.days_left(UTC_ENDS - 1), 0)
        self.assertEqual(trust.days_left(UTC_ENDS + 1), -1)
        # Of two CAs the older may end.
        trust = self.trust(UTC_TIMES + GENERALIZED)
        self.assertEqual(trust.days_left(GENERALIZED_ENDS - DAY_S), 1)
        # Our own, and the server's, count.
        trust = self.trust(GENERALIZED, UTC_TIMES, KEY)
        self.assertEqual(trust.days_left(UTC_ENDS - DAY_S), 1)
        trust = self.trust(GENERALIZED)
        trust.see(der(UTC_TIMES))
        self.assertEqual(trust.days_left(UTC_ENDS - DAY_S), 1)
        # While an attempt has not seen the server's yet, the last one counts.
        trust.at(UTC_ENDS - DAY_S, 0)
        self.assertEqual(trust.days_left(UTC_ENDS - DAY_S), 1)
        trust.see(der(GENERALIZED))
        self.assertEqual(trust.days_left(GENERALIZED_ENDS - DAY_S), 1)


if __name__ == "__main__":
    unittest.main()
