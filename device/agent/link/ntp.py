"""The time from the network: an SNTPv4 client (RFC 4330), for devices without GNSS.

    ntp = NTP(hal, clock, ("ntp.example", "10.0.0.1"), network.up)
    wait_ms = ntp.poll(now_ms)

    put_request(buf, nonce)                     the bytes that go out
    read_response(buf, n, nonce)                what came back, or RemoteError

The request carries random bytes in place of its time, which nobody needs to know: the server gives
them back, and an answer without them is not to our question. The local times are those of the uptime.
"""

import struct

from agent.compat import const
from agent.errors import RemoteError
from agent.wire.codes import CLOCK_NTP

_PORT = const(123)
_PACKET = const(48)
_NONCE = const(8)
# No leap warning, version 4, mode 3; the nonce follows in place of our transmit timestamp, and is given
# back as originate timestamp, at 24.
_HEAD = b"\x23" + bytes(39)
_SERVER = const(4)
_UNKNOWN = const(3)  # leap indicator: the server's clock is not set
_STRATUM_MAX = const(15)

# Seconds from 1900 to 2020. The 32 bits wrap in 2036; modulo 2**32 they reach to 2156 (RFC 4330 §3).
_TO_2020 = const(3786825600)
_SECONDS_MASK = const(0xFFFFFFFF)

_DISTANCE_MAX_MS = const(
    1500
)  # from the server to its own source; ntpd's limit (RFC 5905, MAXDIST)
_ANSWER_MS = const(5000)  # a later one says too little about the time
_ASK_MS = const(3600000)
_RETRY_MS = const(64000)  # then doubling to an hour; RFC 4330 §10 asks for 15 s at least
_LOOK_MS = const(20)
_IDLE_MS = const(1000)


def put_request(buf, nonce):
    """Write a request into `buf`, 48 bytes; `nonce` is eight random bytes."""
    buf[:] = _HEAD + nonce


def read_response(buf, n, nonce):
    """Return (t, ms, held_ms, distance_ms) of an answer of `n` bytes.

    `t` and `ms`: when it left the server, since 2020-01-01 UTC; `held_ms`: how long the server took;
    `distance_ms`: how far the server's own time may be off. Raises RemoteError with the code length,
    mode, originate (not to our question), rate (ask less often), kiss (never ask again), unset (the
    server does not know the time well enough itself) or order (it left before it came).
    """
    if n < _PACKET:
        raise RemoteError("length")
    if buf[0] & 7 != _SERVER or not 3 <= buf[0] >> 3 & 7 <= 4:
        raise RemoteError("mode")
    if bytes(buf[24:32]) != nonce:
        raise RemoteError("originate")
    if buf[1] == 0:
        raise RemoteError("rate" if bytes(buf[12:16]) == b"RATE" else "kiss")
    # Root delay and dispersion: seconds with 16 bits behind the point; the delay is signed.
    delay, dispersion = struct.unpack_from(">iI", buf, 4)
    distance_ms = (abs(delay) // 2 + dispersion) * 1000 >> 16
    came_s, came, left_s, left = struct.unpack_from(">IIII", buf, 32)
    if buf[0] >> 6 == _UNKNOWN or buf[1] > _STRATUM_MAX or not left_s | left:
        raise RemoteError("unset")
    if distance_ms > _DISTANCE_MAX_MS:
        raise RemoteError("unset")
    held_ms = (left_s - came_s) * 1000 + (left * 1000 >> 32) - (came * 1000 >> 32)
    if not 0 <= held_ms <= _ANSWER_MS:
        raise RemoteError("order")
    return (left_s - _TO_2020) & _SECONDS_MASK, left * 1000 >> 32, held_ms, distance_ms


class NTP:
    """Asks one of `servers` when no better source than NTP is there, at most once an hour.

    `up(now_ms)` says whether there is a network. `bad` answers are counted; `last_error` is for
    people. A server that says kiss of death is left alone until the next start, or for an hour when it
    only asks for a lower rate.
    """

    def __init__(self, hal, clock, servers, up):
        self.bad = 0
        self.last_error = ""
        self._hal = hal
        self._clock = clock
        self._servers = [server for server in servers if server]
        self._up = up
        self._stream = None
        self._buf = bytearray(_PACKET)
        self._nonce = None
        self._sent_ms = 0
        self._next_ms = 0
        self._retry_ms = _RETRY_MS

    def poll(self, now_ms):
        """Ask, or take the answer; return the milliseconds until it wants to run again.

        The name lookup blocks, as on every port (reference B4): it is asked only with a network.
        """
        if self._stream is not None:
            self._listen(self._stream, now_ms)
            return _LOOK_MS
        source = self._clock.source
        if now_ms >= self._next_ms and (source is None or source >= CLOCK_NTP):
            if self._servers and self._up(now_ms):
                self._ask(now_ms)
        return _IDLE_MS

    def _ask(self, now_ms):
        self._sent_ms = now_ms
        self._nonce = self._hal.random(_NONCE)
        put_request(self._buf, self._nonce)
        try:
            self._stream = self._hal.udp(self._servers[0], _PORT)
            self._stream.write(self._buf)
        except OSError as error:
            self._fail(now_ms, str(error))

    def _listen(self, stream, now_ms):
        trip_ms = now_ms - self._sent_ms
        if trip_ms > _ANSWER_MS:
            self._fail(now_ms, "no answer")
            return
        try:
            n = stream.readinto(self._buf)
            if n:
                self._take(n, trip_ms, now_ms)
        except RemoteError as error:
            self.bad += 1
            if error.code == "originate":
                return  # not to our question: the answer may still come
            if error.code == "rate":
                self._retry_ms = _ASK_MS
            self._fail(now_ms, error.code)
            if error.code == "kiss":
                self._servers.pop()
        except OSError as error:
            self._fail(now_ms, str(error))

    def _take(self, n, trip_ms, now_ms):
        t, ms, held_ms, distance_ms = read_response(self._buf, n, self._nonce)
        if held_ms > trip_ms + 1:  # milliseconds are cut off
            raise RemoteError("order")
        half_ms = max(trip_ms - held_ms, 0) // 2
        self._clock.offer(CLOCK_NTP, t, ms, now_ms - half_ms, half_ms + distance_ms + 1)
        self._close()
        self._retry_ms = _RETRY_MS
        self._next_ms = now_ms + _ASK_MS

    def _fail(self, now_ms, why):
        """Try the next server after a while."""
        self.last_error = self._servers[0] + ": " + why
        self._servers.append(self._servers.pop(0))
        self._close()
        self._next_ms = now_ms + self._retry_ms
        self._retry_ms = min(self._retry_ms * 2, _ASK_MS)

    def _close(self):
        if self._stream is not None:
            self._stream.close()
        self._stream = None
