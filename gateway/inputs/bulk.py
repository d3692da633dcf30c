"""A paho client that reads and answers QoS 1 deliveries in bulk.

    client = BulkClient(on_publishes, …as paho's Client…)
    client.serve()                          in a thread of its own, until disconnect()
    client.send(packets)                    bytes of whole packets, from any thread

paho reads a packet's head byte by byte, builds an object for every message and writes every
acknowledgement by a call of its own: 25 to 40 µs a message (reference/gateway.md §2), more than all the
rest of the gateway together. Here a read takes what the socket has, deliveries are cut out of it, and
acknowledgements go out as one piece; connecting, TLS, sessions, keepalive and all other packets are
paho's. For that it overrides paho's `_packet_read` and appends to its output queue, which are private:
tests/gateway/test_mqtt.py holds them against the pinned version with a real broker.
"""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode

_PUBLISH: Final = 0x30
_PUBACK: Final = 0x40
_QOS_1: Final = 0x02
_CHUNK: Final = 262_144  # bytes asked of the socket at a time
_LEAVING: Final = "MQTT_CS_DISCONNECTING"  # paho's name for: `disconnect` was called
_FAREWELL_S: Final = 1.0  # for the broker to close the connection after our DISCONNECT
_LENGTH_BYTES: Final = 4  # of a packet's remaining length, MQTT 3.1.1 §2.2.3


class Publishes(NamedTuple):
    """Deliveries that came together: (topic, payload) each, and the packets that acknowledge them."""

    messages: list[tuple[bytes, bytes]]
    acks: bytes


class ProtocolError(Exception):
    """The broker sent what is not MQTT."""


def cut(buf: bytes | bytearray) -> tuple[list[tuple[int, int, int]], int]:
    """Return (first byte, start, end) of the whole packets' contents, and where the rest begins.

    Raises:
        ProtocolError: a remaining length of more than four bytes.
    """
    packets: list[tuple[int, int, int]] = []
    pos = 0
    size = len(buf)
    while pos + 2 <= size:
        length = buf[pos + 1]
        at = pos + 2
        if length & 128:
            length &= 127
            shift = 7
            while True:
                if at >= size:
                    return packets, pos
                byte = buf[at]
                at += 1
                length |= (byte & 127) << shift
                shift += 7
                if not byte & 128:
                    break
                if shift >= 7 * _LENGTH_BYTES:
                    raise ProtocolError("a remaining length of more than four bytes")
        end = at + length
        if end > size:
            break
        packets.append((buf[pos], at, end))
        pos = end
    return packets, pos


class BulkClient(Client):
    """paho's client for MQTT 3.1.1; QoS 0 and 1 deliveries go to `on_publishes` in the order they came.

    `failure` is why the last attempt to connect failed, or the connection was lost.
    """

    def __init__(
        self, on_publishes: Callable[[Publishes], None], *args: Any, **named: Any
    ) -> None:
        super().__init__(*args, **named)
        self._on_publishes = on_publishes
        self.failure: OSError | None = None
        self._buffer = bytearray()
        self._source: object = None  # the socket that the buffer's bytes are from

    def serve(self) -> None:
        """Connect and stay connected until `disconnect`, in the calling thread."""
        # With a thread and a pair of sockets to wake it paho leaves all writing to it: two threads
        # that write at a time would mix their packets.
        self._thread = threading.current_thread()
        self._sockpairR, self._sockpairW = socket.socketpair()
        self._sockpairR.setblocking(False)
        self._sockpairW.setblocking(False)
        try:
            self.loop_forever(retry_first_connection=True)
        finally:
            # It may leave before the DISCONNECT is written, and then the socket open.
            self._sock_close()
            self._reset_sockets(sockpair_only=True)

    def send(self, packets: bytes) -> None:
        """Send whole packets after what waits already. They are lost with the connection."""
        if packets:
            # Any command but PUBLISH and DISCONNECT: paho has nothing to do after it.
            self._packet_queue(_PUBACK, packets, 0, 0)

    def reconnect(self) -> MQTTErrorCode:
        """Connect, as paho does, and remember why it failed."""
        try:
            return super().reconnect()
        except OSError as error:
            self.failure = error
            raise

    def _sock_close(self) -> None:
        if self._state.name == _LEAVING and isinstance(self._sock, socket.socket):
            # To close while something is unread makes the kernel reset the connection, and what the
            # broker has not read yet, our last acknowledgements, is lost: it closes first.
            with suppress(OSError):
                self._sock.settimeout(_FAREWELL_S)
                while self._sock.recv(_CHUNK):
                    pass
        super()._sock_close()

    def _packet_read(self) -> MQTTErrorCode:
        if self._sock is not self._source:
            self._source = self._sock
            self._buffer.clear()
        try:
            data = self._sock_recv(_CHUNK)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_AGAIN
        except OSError as error:
            self.failure = error
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        if not data:
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        self._buffer += data
        try:
            packets, rest = cut(self._buffer)
            code = self._handle(bytes(memoryview(self._buffer)[:rest]), packets)
        except (ProtocolError, IndexError):
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        del self._buffer[:rest]
        with self._msgtime_mutex:
            self._last_bytes_received = time.monotonic()
        return code

    def _handle(self, data: bytes, packets: list[tuple[int, int, int]]) -> MQTTErrorCode:
        messages: list[tuple[bytes, bytes]] = []
        acks: list[bytes] = []
        for first, start, end in packets:
            if first & 0xF0 == _PUBLISH and first & 0x04 == 0:
                at = start + 2 + (data[start] << 8 | data[start + 1])
                topic = data[start + 2 : at]
                if first & _QOS_1:
                    acks.append(b"\x40\x02" + data[at : at + 2])
                    at += 2
                messages.append((topic, data[at:end]))
                continue
            if messages:
                self._on_publishes(Publishes(messages, b"".join(acks)))
                messages, acks = [], []
            code = self._hand_over(first, data[start:end])
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return code
        if messages:
            self._on_publishes(Publishes(messages, b"".join(acks)))
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _hand_over(self, first: int, content: bytes) -> MQTTErrorCode:
        """Let paho take a packet that is none of ours."""
        self._in_packet = {
            "command": first,
            "have_remaining": 1,
            "remaining_count": [],
            "remaining_mult": 1,
            "remaining_length": len(content),
            "packet": bytearray(content),
            "to_process": 0,
            "pos": 0,
        }
        return self._packet_handle()


def publish_packet(topic: bytes, payload: bytes) -> bytes:
    """Return a QoS 0 PUBLISH (MQTT 3.1.1 §3.3)."""
    length = 2 + len(topic) + len(payload)
    head = bytearray(b"\x30")
    while length > 127:
        head.append(length & 127 | 128)
        length >>= 7
    head.append(length)
    return bytes(head) + len(topic).to_bytes(2, "big") + topic + payload
