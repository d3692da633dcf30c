"""Carries out what was ordered: asks for nonces, signs, sends until there is an answer.

    desk = Desk(orders, keys, send)
    desk.poll(now_ms)                        what is due
    desk.take("buoy-1", up, now_ms)          what a device said on up/cmd

Sans-IO but for the orders' file. A command is sent again, byte for byte, until it is answered or has
expired: the device does it once (device/agent/link/commands.py). `DeskThread` runs a desk in a gateway.
"""

import logging
import queue
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.wire import messages, schema, words
from agent.wire.series import EPOCH_2020
from gateway.access.revocation import nobody
from gateway.down import orders as o
from gateway.down.keys import KeysError, read

log = logging.getLogger(__name__)

_AGAIN_MS: Final = 3_000  # doubling to
_AGAIN_MAX_MS: Final = 60_000
_SHORT_MS: Final = 10_000  # without an answer for so long, another way is tried, and again
_SHORT_AGAIN_MS: Final = 180_000  # as often as the command card may say something, and others too
_GRACE_MS: Final = 150_000  # a device may take two minutes for what it began in time
# Not begun, and worth another try with a fresh nonce and id.
_AGAIN: Final = (messages.RESULT_NONCE, messages.RESULT_NO_CLOCK, messages.RESULT_BUSY)
_PAUSE_S: Final = 0.25
_OPEN_AGAIN_S: Final = 10.0  # when the file could not be opened

Send = Callable[[str, bytes], None]
Up = tuple[int | bytes, ...]


@dataclass(slots=True)
class _Going:
    """An order on its way: what is sent next, and when."""

    order: o.Order
    ask: int | None = None
    payload: bytes = b""
    due_ms: int = 0
    pause_ms: int = _AGAIN_MS
    short_ms: int = 0

    def say(self, payload: bytes, now_ms: int) -> None:
        """Send this from now on."""
        self.payload = payload
        self.due_ms = now_ms
        self.pause_ms = _AGAIN_MS
        self.short_ms = now_ms + _SHORT_MS


class Desk:
    """The orders that are open.

    `keys` gives the present keys, `send` sends a payload to dn/cmd, `short` the same by BeiDou, for
    devices that do not answer; it may not fit. What `revoked` devices were ordered ends unsent.

    Raises:
        sqlite3.Error: from every method, when the orders' file does not take it.
    """

    def __init__(
        self,
        orders: o.Orders,
        keys: Callable[[], Mapping[str, bytes]],
        send: Send,
        short: Send | None = None,
        revoked: Callable[[str], bool] = nobody,
    ) -> None:
        self._orders = orders
        self._keys = keys
        self._send = send
        self._short = short
        self._revoked = revoked
        self._going: dict[int, _Going] = {}

    def poll(self, now_ms: int) -> None:
        """Take up new orders, send again what is due, end what has expired."""
        for order in self._orders.open():
            if order.number not in self._going and not self._refuses(order, now_ms):
                self._take_up(order, now_ms)
        for going in list(self._going.values()):
            order = going.order
            if self._refuses(order, now_ms):
                continue
            if now_ms >= order.until_ms and self._expire(going, now_ms):
                continue
            if going.payload and now_ms >= going.due_ms:
                self._send(order.device, going.payload)
                going.due_ms = now_ms + going.pause_ms
                going.pause_ms = min(going.pause_ms * 2, _AGAIN_MAX_MS)
            if self._short and going.payload and order.until_ms > now_ms >= going.short_ms:
                self._short(order.device, going.payload)
                going.short_ms = now_ms + _SHORT_AGAIN_MS

    def take(self, device: str, up: Up, now_ms: int) -> None:
        """Take what `messages.read_cmd_up` gave; what is no answer to an order is noted in the log."""
        if self._revoked(device):
            return
        if up[0] == messages.NONCE:
            for going in list(self._going.values()):
                if going.order.device == device and going.ask == up[1]:
                    self._sign(going, now_ms, _bytes(up[2]), _int(up[3]))
        elif up[0] == messages.DO:
            self._answered(device, _int(up[1]), _int(up[2]), _bytes(up[3]), now_ms)

    def _refuses(self, order: o.Order, now_ms: int) -> bool:
        """End an order to a device that is revoked; return whether it is."""
        if not self._revoked(order.device):
            return False
        state = o.UNANSWERED if order.state == o.SENT else o.UNREACHED
        self._orders.ended(order, state, now_ms, "the device is revoked")
        self._going.pop(order.number, None)
        return True

    def _take_up(self, order: o.Order, now_ms: int) -> None:
        going = _Going(order)
        self._going[order.number] = going
        if order.state == o.SENT and order.payload:
            going.say(order.payload, now_ms)  # sent by the gateway's last run
        elif order.verb in messages.DANGEROUS:
            self._ask(going, now_ms, "the verb needs one")
        else:
            self._sign(going, now_ms, None, 0)

    def _ask(self, going: _Going, now_ms: int, why: str) -> None:
        going.ask = secrets.randbits(32)
        going.say(_written(messages.put_nonce_ask, going.ask), now_ms)
        if not self._orders.asking(going.order, now_ms, why):
            self._going.pop(going.order.number, None)

    def _sign(self, going: _Going, now_ms: int, nonce: bytes | None, uptime_s: int) -> None:
        order = going.order
        left_s = (order.until_ms - now_ms) // 1000
        if left_s < 1:
            return
        try:
            key = self._keys().get(order.device)
        except KeysError as error:
            self._end(going, o.UNREACHED, now_ms, str(error))
            return
        if key is None:
            self._end(going, o.UNREACHED, now_ms, f"the keys file has no key of {order.device}")
            return
        now_s = now_ms // 1000 - EPOCH_2020
        until = now_s + left_s if nonce is None else -1 - (uptime_s + left_s)
        command = max(now_s, self._orders.last_id(order.device) + 1)
        going.ask = None
        payload = signed(key, order.device, command, order.verb, until, nonce, order.arguments)
        going.say(payload, now_ms)
        if not self._orders.sent(order, command, going.payload, now_ms, until):
            self._going.pop(order.number, None)
            return
        going.order = self._orders.get(order.number)
        self._send(order.device, going.payload)
        going.due_ms = now_ms + going.pause_ms

    def _answered(
        self, device: str, command: int, result: int, detail: bytes, now_ms: int
    ) -> None:
        order = self._orders.sent_as(device, command)
        text = words.RESULTS.get(result, f"result {result}")
        if order is None:
            log.warning("%s answers %s to a command %d that we never sent", device, text, command)
            return
        if order.state == o.ANSWERED:
            return  # sent twice, answered twice
        going = self._going.get(order.number)
        again = going is not None and result in _AGAIN and now_ms < order.until_ms
        self._orders.answered(order, result, detail, now_ms, text, ends=not again)
        if again and going is not None:
            self._ask(going, now_ms, f"the answer was {text}")
            if result == messages.RESULT_BUSY:
                going.due_ms = now_ms + _AGAIN_MS
        else:
            self._going.pop(order.number, None)

    def _expire(self, going: _Going, now_ms: int) -> bool:
        """End an order whose time is up; return whether it has ended."""
        order = self._orders.get(going.order.number)
        if order.state == o.SENT:
            going.due_ms = now_ms + _AGAIN_MS  # it would be refused now
            if now_ms - order.until_ms < _GRACE_MS:
                return False
            self._end(going, o.UNANSWERED, now_ms, "sent, and not answered")
        else:
            self._end(going, o.UNREACHED, now_ms, "nothing was heard of the device in time")
        return True

    def _end(self, going: _Going, state: str, now_ms: int, why: str) -> None:
        self._orders.ended(going.order, state, now_ms, why)
        self._going.pop(going.order.number, None)


class DeskThread:
    """Runs a desk beside a gateway; `take` may be called from any thread.

    A file that refuses is tried again; commands wait, records are not touched by that.
    """

    def __init__(
        self,
        path: Path,
        keys: Path,
        send: Send,
        short: Send | None = None,
        revoked: Callable[[str], bool] = nobody,
    ) -> None:
        self._path = path
        self._keys = keys
        self._send = send
        self._short = short
        self._revoked = revoked
        self._inbox: queue.Queue[tuple[str, Up]] = queue.Queue(1000)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="commands", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is open goes on with the next start."""
        self._stopping.set()
        self._thread.join(5)

    def take(self, device: str, up: Up) -> None:
        """Hand over what a device said; when nobody keeps up, it is dropped: commands are sent again."""
        try:
            self._inbox.put_nowait((device, up))
        except queue.Full:
            log.warning("an answer of %s is dropped", device)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                orders = o.Orders(self._path)
            except (sqlite3.Error, OSError) as error:
                log.error("%s cannot be used (%s): no commands", self._path, error)  # noqa: TRY400  (one line says it)
                self._stopping.wait(_OPEN_AGAIN_S)
                continue
            try:
                self._work(
                    Desk(orders, self._present_keys, self._send, self._short, self._revoked)
                )
            except sqlite3.Error as error:
                log.error("%s: %s; it is opened again", self._path, error)  # noqa: TRY400
                self._stopping.wait(1)
            except Exception:
                log.exception("the desk failed; it starts again")
                self._stopping.wait(1)
            finally:
                orders.close()

    def _work(self, desk: Desk) -> None:
        while not self._stopping.is_set():
            try:
                device, up = self._inbox.get(timeout=_PAUSE_S)
            except queue.Empty:
                pass
            else:
                desk.take(device, up, _now_ms())
            desk.poll(_now_ms())

    def _present_keys(self) -> dict[str, bytes]:
        """Read the keys anew: a device that was commissioned an hour ago has one."""
        return read(self._keys)


def signed(
    key: bytes,
    device: str,
    command: int,
    verb: int,
    until: int,
    nonce: bytes | None,
    arguments: bytes,
) -> bytes:
    """Return the `dn/cmd` payload of a command, with its tag cut to TAG_MIN bytes."""
    items = (command, messages.mark(device), verb, until, nonce, arguments)
    blank = bytes(messages.TAG_MIN)
    unsigned = _written(messages.put_do, *items, blank)
    part = unsigned[: messages.signed_end(len(unsigned), blank)]
    return _written(
        messages.put_do, *items, messages.command_tag(key, device, part)[: messages.TAG_MIN]
    )


def _written(put: Callable[..., int], *items: object) -> bytes:
    buf = bytearray(schema.PAYLOAD_MAX)
    return bytes(buf[: put(buf, *items)])


def _int(item: int | bytes) -> int:
    assert isinstance(item, int)
    return item


def _bytes(item: int | bytes) -> bytes:
    assert isinstance(item, bytes)
    return item


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
