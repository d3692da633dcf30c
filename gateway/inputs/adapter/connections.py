"""The connections of an adapter: who may connect, what they say, what they are answered; all bounded.

    with Connections(settings, counts) as connections:
        for peer, said in connections.round(0.5): …
        connections.answer(peer, data)

For one thread, except `wake`. With datagrams a connection is a sender's address.
"""

import ipaddress
import logging
import selectors
import socket
import time
from collections import Counter
from typing import Any, Final, Self

from agent.wire.series import EPOCH_2020
from gateway.config_inputs import Adapter as Settings
from gateway.inputs.adapter.adapter import Adapter, Said
from gateway.inputs.adapter.jt808 import JT808
from gateway.inputs.counts import Counts

log = logging.getLogger(__name__)

OUT_MAX: Final = 64 * 1024  # bytes that wait to be sent to one terminal; then it is cut off
UNANSWERED_MAX: Final = (
    64  # messages of one connection that wait for the commit; then it is not read
)
_READ_MAX: Final = 4096
_DATAGRAM_MAX: Final = 65_535
_DATAGRAMS: Final = 64  # read in one round
_ACCEPTS: Final = 64
_TEND_S: Final = 1.0
_BACKLOG: Final = 512


def make(settings: Settings) -> Adapter:
    """Return a reader for one connection."""
    return JT808(settings.voltage_item)


class Peer:
    """One connection, or one sender of datagrams."""

    def __init__(self, adapter: Adapter, link: socket.socket, address: Any, now_s: float) -> None:
        self.adapter = adapter
        self.link = link
        self.address = address
        self.heard_s = now_s
        self.out = b""
        self.unanswered = 0
        self.gone = False
        self.watched = 0  # the events that the selector has


class Connections:
    """Listens as the settings say.

    Counts `denied` (networks), `full`, `idle`, `slow`, `dropped` (datagrams), `accept-errors`, and what
    the protocol's reader refuses.

    Raises:
        OSError: it cannot listen there.
    """

    def __init__(self, settings: Settings, counts: Counts) -> None:
        self._settings = settings
        self._counts = counts
        self._datagrams = settings.listen.startswith("udp://")
        self._peers: dict[Any, Peer] = {}
        self._touched: set[Peer] = set()
        self._tended_s = 0.0
        self._full = False  # nobody can be accepted now
        self._said: list[tuple[Peer, Said]] = []
        self._listener = _listen(settings.listen, self._datagrams)
        self.port = int(self._listener.getsockname()[1])
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close all of them."""
        for peer in self._peers.values():
            peer.gone = True
            if not self._datagrams:
                peer.link.close()
        self._peers.clear()
        self._selector.close()
        for one in (self._listener, self._wake, self._woken):
            one.close()

    def wake(self) -> None:
        """End the wait of `round`; for any thread."""
        try:
            self._wake.send(b"\0")
        except OSError:
            return  # it is awake, or closed

    def round(self, timeout_s: float) -> list[tuple[Peer, Said]]:
        """Wait until something happens, and return what was said."""
        for touched in self._touched:
            self._tend(touched, time.monotonic())
        self._touched.clear()
        events = self._selector.select(timeout_s)
        now_s = time.monotonic()
        for key, mask in events:
            if key.fileobj is self._woken:
                _empty(self._woken)
            elif key.fileobj is self._listener:
                if self._datagrams:
                    self._receive(now_s)
                else:
                    self._accept(now_s)
            else:
                peer: Peer = key.data
                self._touched.add(peer)
                if mask & selectors.EVENT_WRITE:
                    _send(peer)
                if mask & selectors.EVENT_READ and not peer.gone:
                    self._read(peer, now_s)
        if now_s - self._tended_s >= _TEND_S:
            self._tended_s = now_s
            self._touched.update(self._peers.values())
            if self._full:
                self._full = False
                self._selector.register(self._listener, selectors.EVENT_READ)
        said, self._said = self._said, []
        return said

    def answer(self, peer: Peer, answer: bytes) -> None:
        """Answer one message that a peer said; with nothing, if there is no answer to it."""
        peer.unanswered -= 1
        self._touched.add(peer)
        if peer.gone or not answer:
            return
        if self._datagrams:
            try:
                peer.link.sendto(answer, peer.address)
            except OSError:
                self._counts.add("dropped")
            return
        peer.out += answer
        if len(peer.out) > OUT_MAX:
            self._counts.add("slow")
            peer.gone = True
            return
        _send(peer)

    def _accept(self, now_s: float) -> None:
        for _ in range(_ACCEPTS):
            try:
                link, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                # Out of descriptors, most likely: the others go on, and it is tried again in a second.
                self._counts.add("accept-errors")
                log.warning("adapter %s: nobody can connect: %s", self._settings.id, error)
                self._selector.unregister(self._listener)
                self._full = True
                return
            peer = self._join(link, address, now_s)
            if peer is None:
                link.close()
                continue
            link.setblocking(False)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._watch(peer)

    def _receive(self, now_s: float) -> None:
        for _ in range(_DATAGRAMS):
            try:
                data, address = self._listener.recvfrom(_DATAGRAM_MAX)
            except OSError:
                return  # nothing more; or an answer of ours found nobody
            peer = self._peers.get(address) or self._join(self._listener, address, now_s)
            if peer is None:
                continue
            if peer.unanswered >= UNANSWERED_MAX:
                self._counts.add("dropped")  # it will send it again
                continue
            self._feed(peer, data, now_s)

    def _join(self, link: socket.socket, address: Any, now_s: float) -> Peer | None:
        host = ipaddress.ip_address(address[0].partition("%")[0])
        if isinstance(host, ipaddress.IPv6Address) and host.ipv4_mapped:
            host = host.ipv4_mapped
        allow = self._settings.allow
        if allow and not any(host in network for network in allow):
            self._counts.add("denied")
            return None
        if len(self._peers) >= self._settings.connections:
            self._counts.add("full")
            return None
        peer = self._peers[address] = Peer(make(self._settings), link, address, now_s)
        return peer

    def _read(self, peer: Peer, now_s: float) -> None:
        try:
            data = peer.link.recv(_READ_MAX)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._feed(peer, data, now_s)
        else:
            peer.gone = True

    def _feed(self, peer: Peer, data: bytes, now_s: float) -> None:
        found = peer.adapter.feed(data, int(time.time()) - EPOCH_2020)
        for name, n in peer.adapter.counts.items():
            self._counts.add(name, n)
        peer.adapter.counts = Counter()
        if found:
            peer.heard_s = now_s
            peer.unanswered += len(found)
            self._said += [(peer, one) for one in found]

    def _tend(self, peer: Peer, now_s: float) -> None:
        """Close a peer that is gone or idle; watch another for what it may do now."""
        if not peer.gone and now_s - peer.heard_s > self._settings.idle_s:
            self._counts.add("idle")
            peer.gone = True
        if not peer.gone:
            if not self._datagrams:
                self._watch(peer)
        elif self._peers.get(peer.address) is peer:
            del self._peers[peer.address]
            if not self._datagrams:
                if peer.watched:
                    self._selector.unregister(peer.link)
                peer.link.close()

    def _watch(self, peer: Peer) -> None:
        wanted = selectors.EVENT_READ if peer.unanswered < UNANSWERED_MAX else 0
        if peer.out:
            wanted |= selectors.EVENT_WRITE
        if wanted == peer.watched:
            return
        if not peer.watched:
            self._selector.register(peer.link, wanted, peer)
        elif wanted:
            self._selector.modify(peer.link, wanted, peer)
        else:
            self._selector.unregister(peer.link)
        peer.watched = wanted


def _send(peer: Peer) -> None:
    try:
        peer.out = peer.out[peer.link.send(peer.out) :] if peer.out else b""
    except BlockingIOError:
        return
    except OSError:
        peer.gone = True


def _listen(listen: str, datagrams: bool) -> socket.socket:
    host, _, port = listen.partition("://")[2].rpartition(":")
    kind = socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=kind, flags=socket.AI_PASSIVE)[0]
    listener = socket.socket(found[0], kind)
    try:
        if not datagrams:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(found[4])
        listener.setblocking(False)
        if not datagrams:
            # Connections have it from here: a deaf terminal takes no more of the kernel's memory.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, OUT_MAX)
            listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _empty(woken: socket.socket) -> None:
    try:
        while woken.recv(_READ_MAX):
            pass
    except BlockingIOError:
        return
