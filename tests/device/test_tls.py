"""The board's TLS stream over a fake `tls` module that behaves as MicroPython's (mbedTLS) does.

What the fake does is read from extmod/modtls_mbedtls.c: the handshake is driven by reading and
writing, a write that could not be finished must be repeated with the same length, a failed handshake
raises ValueError with the library's words and forgets the socket below without closing it.
"""

import errno
import sys
import unittest

from test_x509 import GENERALIZED, GENERALIZED_BEGINS, KEY, UTC_ENDS, UTC_TIMES, der

from agent.link.trust import Trust

T = 220000000


class FakeSocket:
    """A TCP socket that connects at once."""

    reading = None

    def __init__(self, *kind):
        self.closed = False
        self.taken = b""
        self.refused = False

    def setblocking(self, flag):
        self.blocking = flag

    def connect(self, address):
        self.address = address
        raise OSError(errno.EINPROGRESS, "in progress")

    def readinto(self, view):
        raise self.reading

    def close(self):
        self.closed = True


class FakeSocketModule:
    """socket"""

    AF_INET = 2
    SOCK_STREAM = 1
    made = []
    unknown = False

    @staticmethod
    def getaddrinfo(host, port, *kind):  # noqa: ARG004
        if FakeSocketModule.unknown:
            raise OSError(-2, "unknown")
        return [(2, 1, 0, "", (host, port))]

    @staticmethod
    def socket():
        FakeSocketModule.made.append(FakeSocket())
        return FakeSocketModule.made[-1]


class FakePoll:
    flags = 4

    def register(self, what, flags):
        self.what = what

    def poll(self, timeout):
        return [(self.what, self.flags)]


class FakeSelectModule:
    """select"""

    POLLOUT, POLLERR, POLLHUP = 4, 8, 16
    poll = FakePoll


class FakeContext:
    """tls.SSLContext"""

    made = []
    fault = None  # the exception of the next handshake
    rounds = 2  # writes that a handshake takes
    chain = ()

    def __init__(self, protocol):
        self.protocol = protocol
        self.verify_mode = None
        self.verify_callback = None
        self.loaded = []
        self.own = None
        FakeContext.made.append(self)

    def load_verify_locations(self, cadata):
        self.loaded.append(cadata)

    def load_cert_chain(self, cert, key):
        if key == b"bad":
            raise ValueError("invalid key")
        self.own = (cert, key)

    def wrap_socket(self, sock, do_handshake_on_connect=True, server_hostname=None):
        return FakeSecure(self, sock, do_handshake_on_connect, server_hostname)


class FakeSecure:
    """tls.SSLSocket"""

    def __init__(self, context, sock, at_once, name):
        self.context = context
        self.sock = sock
        self.args = (at_once, name)
        self.rounds = context.rounds
        self.stuck = 0  # writes that cannot be finished, after the handshake
        self.owed = 0
        self.incoming = b""

    def write(self, view):
        if self.rounds:
            self.rounds -= 1
            if not self.rounds:
                for one in self.context.chain:
                    if self.context.verify_callback(memoryview(one), 0):
                        raise OSError(-9984, "refused by the callback")
                if self.context.fault:
                    self.sock = None
                    raise self.context.fault
            return None
        if self.owed and len(view) != self.owed:
            raise ValueError("a write was repeated with another length")
        if self.stuck:
            self.stuck -= 1
            self.owed = len(view)
            return None
        self.owed = 0
        self.sock.taken += bytes(view)
        return len(view)

    def readinto(self, view):
        if isinstance(self.incoming, Exception):
            raise self.incoming
        if not self.incoming:
            return None
        n = min(len(view), len(self.incoming))
        view[:n] = self.incoming[:n]
        self.incoming = self.incoming[n:]
        return n

    def close(self):
        if self.sock:
            self.sock.close()


class FakeTLSModule:
    """tls"""

    PROTOCOL_TLS_CLIENT = 0
    CERT_REQUIRED = 2
    SSLContext = FakeContext


FAKES = {"tls": FakeTLSModule, "socket": FakeSocketModule, "select": FakeSelectModule}
OURS = ("agent.hal.sockets", "agent.hal.tls")


def load():
    """Import the stream over the fakes, and leave no trace of them."""
    names = tuple(FAKES) + OURS
    kept = {name: sys.modules.pop(name, None) for name in names}
    sys.modules.update(FAKES)
    try:
        import agent.hal.sockets
        import agent.hal.tls

        return agent.hal.sockets, agent.hal.tls
    finally:
        for name in names:
            sys.modules.pop(name, None)
            if kept[name] is not None:
                sys.modules[name] = kept[name]
                package, _, module = name.rpartition(".")
                if package:
                    setattr(sys.modules[package], module, kept[name])


sockets, tls = load()


class Stream(unittest.TestCase):
    def setUp(self):
        FakeContext.fault = None
        FakeContext.rounds = 2
        FakeContext.chain = ()
        self.trust = self.trusting(UTC_TIMES)

    def trusting(self, ca, cert=None, key=None):
        trust = Trust({"ca": ca, "cert": cert, "key": key})
        trust.at(-1, T)
        return trust

    def open(self):
        stream = tls.TLSStream("broker", 8883, self.trust)
        self.assertEqual(stream.state(), sockets.SECURING)
        return stream

    def secured(self):
        stream = self.open()
        for _ in range(3):
            stream.write(memoryview(b"hello"))
        return stream

    def test_the_first_writes_drive_the_handshake(self):
        stream = self.open()
        self.assertEqual(stream.write(memoryview(b"hello")), 0)
        self.assertEqual(stream.write(memoryview(b"hello")), 0)
        self.assertEqual(stream.state(), sockets.SECURING)
        self.assertEqual(stream.write(memoryview(b"hello")), 5)
        self.assertEqual(stream.state(), sockets.OPEN)
        self.assertEqual(FakeSocketModule.made[-1].taken, b"hello")

    def test_the_server_must_be_verified_by_name_without_blocking(self):
        stream = self.open()
        context = FakeContext.made[-1]
        self.assertEqual((context.verify_mode, context.protocol), (2, 0))
        self.assertEqual(context.loaded, [der(UTC_TIMES)])
        self.assertEqual(context.own, None)
        self.assertEqual(stream._socket.args, (False, "broker"))
        self.assertFalse(FakeSocketModule.made[-1].blocking)

    def test_our_certificate_and_every_ca_are_given_once(self):
        self.trust = self.trusting(UTC_TIMES + GENERALIZED, GENERALIZED, KEY)
        n = len(FakeContext.made)
        self.open()
        self.open()
        self.assertEqual(len(FakeContext.made), n + 1)
        context = FakeContext.made[-1]
        self.assertEqual(context.loaded, [der(UTC_TIMES), der(GENERALIZED)])
        self.assertEqual(context.own, (der(GENERALIZED), b"\x00\x01\x02"))

    def test_an_unfinished_write_is_repeated_with_its_length(self):
        stream = self.secured()
        stream._socket.stuck = 2
        self.assertEqual(stream.write(memoryview(b"one")), 0)
        self.assertEqual(stream.write(memoryview(b"one, two")), 0)
        self.assertEqual(stream.write(memoryview(b"one, two, three")), 3)
        self.assertEqual(stream.write(memoryview(b", two, three")), 12)
        self.assertEqual(FakeSocketModule.made[-1].taken, b"helloone, two, three")
        self.assertEqual(stream.state(), sockets.OPEN)

    def test_each_refusal_has_its_name(self):
        both = (
            "The certificate validity has expired\n"
            "The certificate is not correctly signed by the trusted CA\n"
        )
        for fault, name in (
            (ValueError(both), "wrong-ca"),
            (
                ValueError(
                    "The certificate Common Name (CN) does not match with the expected CN\n"
                ),
                "wrong-name",
            ),
            (ValueError("The certificate validity has expired\n"), "expired"),
            (ValueError("The certificate validity starts in the future\n"), "not-yet-valid"),
            (OSError(-30592, "MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE"), "refused-by-server"),
            (OSError(-29312, "MBEDTLS_ERR_SSL_CONN_EOF"), "refused-by-server"),
            (OSError(errno.ECONNRESET, "reset"), "ECONNRESET"),
            (OSError(errno.ENOMEM, "memory"), "ENOMEM"),
        ):
            with self.subTest(name):
                FakeContext.fault = fault
                self.trust = self.trusting(UTC_TIMES)
                stream = self.open()
                for _ in range(3):
                    stream.write(memoryview(b"hello"))
                self.assertEqual((stream.state(), stream.error), (sockets.CLOSED, name))
                # The library forgot the socket below; it is closed all the same.
                self.assertTrue(FakeSocketModule.made[-1].closed)
                self.assertEqual(stream.write(memoryview(b"x")), 0)

    def test_a_key_that_cannot_be_used(self):
        self.trust.certificates, self.trust.key = [der(GENERALIZED)], b"bad"
        stream = tls.TLSStream("broker", 8883, self.trust)
        self.assertEqual((stream.state(), stream.error), (sockets.CLOSED, "malformed"))

    def test_the_chain_s_dates_are_seen(self):
        FakeContext.chain = (der(UTC_TIMES), b"nonsense", der(GENERALIZED))
        self.secured()
        self.trust.at(-1, 100)
        self.assertEqual(self.trust.t, GENERALIZED_BEGINS)
        FakeContext.chain = (der(UTC_TIMES),)
        self.secured()
        self.assertEqual(self.trust.days_left(UTC_ENDS - 86400), 1)

    def test_a_server_younger_than_our_clock_is_reached_at_the_second_attempt(self):
        # mbedTLS asks the board's clock, which Port.connect sets to trust.t.
        FakeContext.chain = (der(GENERALIZED),)
        FakeContext.fault = ValueError("The certificate validity starts in the future\n")
        self.trust.at(-1, 100)
        stream = self.secured()
        self.assertEqual(stream.error, "not-yet-valid")
        self.trust.at(-1, 100)
        self.assertEqual(self.trust.t, GENERALIZED_BEGINS)

    def test_reading_and_the_end(self):
        stream = self.secured()
        buf = memoryview(bytearray(8))
        self.assertEqual(stream.readinto(buf), 0)
        stream._socket.incoming = b"welcome"
        self.assertEqual((stream.readinto(buf), bytes(buf[:7])), (7, b"welcome"))
        stream._socket.incoming = OSError(-29312, "MBEDTLS_ERR_SSL_CONN_EOF")
        self.assertEqual(stream.readinto(buf), 0)
        self.assertEqual(
            (stream.state(), stream.error), (sockets.CLOSED, "MBEDTLS_ERR_SSL_CONN_EOF")
        )

    def test_a_connection_that_is_refused(self):
        stream = tls.TLSStream("broker", 8883, self.trust)
        FakePoll.flags = 8
        FakeSocket.reading = OSError(errno.ECONNREFUSED, "refused")
        state = stream.state()
        FakePoll.flags = 4
        self.assertEqual((state, stream.error), (sockets.CLOSED, "ECONNREFUSED"))
        self.assertTrue(FakeSocketModule.made[-1].closed)

    def test_a_name_that_is_not_known(self):
        FakeSocketModule.unknown = True
        stream = tls.TLSStream("broker", 8883, self.trust)
        FakeSocketModule.unknown = False
        self.assertEqual(
            (stream.state(), stream.error), (sockets.CLOSED, "no address for broker (-2)")
        )


if __name__ == "__main__":
    unittest.main()
