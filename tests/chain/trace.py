"""Reads strace's account of a gateway: what it wrote, what of that was safe, and what it promised.

    calls = read(path, folder)
    promised = promises(calls, port)
    early(calls, Disk(folder / "journal.sqlite"), promised, raws)
                                     promises that left before their records were safe
    for call in replay(calls, disk): disk.image(rng)
                                     the journal's files as a power cut at that moment leaves them

strace stops a thread before a system call and after it, so the order of its lines is the order of
causes: a send whose line begins after the line in which `fdatasync` returned was made after it. The
files are modelled here from nothing: what was written lies in the page cache until a sync of that
file, begun after the write had ended, has returned; a name is safe once its folder was synced. `-shm`
is left out: SQLite builds it again.
"""

import itertools
import re
from bisect import bisect_left
from pathlib import Path
from typing import NamedTuple

import cbor2

from agent.wire import messages
from agent.wire.read import Reader

CALLS = (
    "openat,pwrite64,write,pwritev,pwritev2,writev,fdatasync,fsync,ftruncate,fallocate,"
    "rename,renameat,renameat2,unlink,unlinkat,sendto,sendmsg,recvfrom"
)
OPTIONS = ["-f", "-xx", "-yy", "-s", "1048576", "--seccomp-bpf", "-e", f"trace={CALLS}"]
SECTOR = 512  # what a disk writes whole

_LINE = re.compile(r"(\d+) +(.*)", re.DOTALL)
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|\?)(.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)", re.DOTALL)
_FD = re.compile(r"\d+<(TCP:\[[^]]*\]|[^<>]*)>")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_FOLLOWED = {"openat", "pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", "unlinkat"}


class Call(NamedTuple):
    """One system call that succeeded; `begun` and `ended` are line numbers."""

    name: str
    begun: int
    ended: int
    on: str  # the path, or the socket's two ends, of the descriptor
    strings: list  # its string arguments, decoded
    args: str
    result: int


class Promise(NamedTuple):
    """A PUBACK or a device ack: what it acknowledges, and the line at which its send began."""

    at: int
    what: str
    records: list  # (device, boot, seq)


def read(path, folder):
    """Return the calls of a trace that are about `folder` or TCP, in the order they ended in."""
    out, open_calls = [], {}
    about = "".join(f"\\x{byte:02x}" for byte in str(folder).encode())
    with path.open() as file:
        for n, line in enumerate(file):
            pid, text = _LINE.match(line.rstrip("\n")).groups()
            begun = n
            if text.endswith(" <unfinished ...>"):
                open_calls[pid] = (n, text.removesuffix(" <unfinished ...>"))
                continue
            if resumed := _RESUMED.match(text):
                begun, head = open_calls.pop(pid)
                text = head + resumed[1]
            if about not in text and "<TCP:" not in text:
                continue
            if (call := _CALL.match(text)) is None or call[3] == "?" or int(call[3]) < 0:
                continue
            out.append(_call(call, begun, n))
    return out


def _call(match, begun, ended):
    name, args, result, rest = match.groups()
    strings = []
    for text, cut in _STRING.findall(args):
        assert not cut, "a string is longer than strace was told to print"
        strings.append(bytes.fromhex(text.replace("\\x", "")))
    fd = _FD.match(rest.strip() and f"{result}{rest}" if name == "openat" else args)
    on = fd[1] if fd else ""
    if on.startswith("\\x"):
        on = bytes.fromhex(on.replace("\\x", "")).decode()
    return Call(name, begun, ended, on, strings, args, int(result))


class File:
    """A file's operations; the first `safe` of them survive."""

    def __init__(self):
        self.operations = []
        self.safe = 0

    def image(self, rng=None):
        """Return what a power cut leaves: what is safe, and with `rng` any part of the rest."""
        data = bytearray()
        for n, (kind, at, payload) in enumerate(self.operations):
            if n >= self.safe and rng is None:
                break
            torn = n >= self.safe
            if kind == "truncate":
                if torn and rng.random() < 0.5:
                    continue
                if at < len(data):
                    del data[at:]
                else:
                    data += bytes(at - len(data))
                continue
            for start, piece in _pieces(at, payload, torn):
                if torn and rng.random() < 0.5:
                    continue
                if start > len(data):
                    data += bytes(start - len(data))
                data[start : start + len(piece)] = piece
        return bytes(data)


def _pieces(at, payload, torn):
    """Split a write where a disk may tear it."""
    if not torn:
        return [(at, payload)]
    first = SECTOR - at % SECTOR
    cuts = [0, *range(first, len(payload), SECTOR), len(payload)]
    return [(at + a, payload[a:b]) for a, b in itertools.pairwise(cuts) if b > a]


class Disk:
    """The files whose names begin with `prefix`, as far as they are safe. Feed it every call."""

    def __init__(self, prefix):
        self.prefix = Path(prefix)
        self.names = {}  # as the running program sees them
        self._name_changes = []  # (name, file or None), in order
        self._names_safe = 0

    def holds(self, path):
        """Whether a path is one of these files."""
        name = str(path)
        return name.startswith(str(self.prefix)) and not name.endswith("-shm")

    def feed(self, call, marks):
        """Let a call that ended have its effect; `marks` tells what a sync may cover."""
        if call.name in {"fdatasync", "fsync"}:
            if call.on == str(self.prefix.parent):
                self._names_safe = max(self._names_safe, marks.get("", 0))
            elif call.on in self.names:
                file = self.names[call.on]
                file.safe = max(file.safe, marks.get(call.on, 0))
            return
        path = call.on
        if call.name in {"unlink", "unlinkat"}:
            path = call.strings[0].decode()
        if not self.holds(path):
            return
        assert call.name in _FOLLOWED, f"this reader does not follow {call.name} on {path}"
        if call.name == "openat":
            if path not in self.names:
                self.names[path] = File()
                self._name_changes.append((path, self.names[path]))
        elif call.name == "pwrite64":
            data = call.strings[0][: call.result]
            at = int(call.args.rsplit(",", 1)[1])
            self.names[path].operations.append(("write", at, data))
        elif call.name == "ftruncate":
            size = int(call.args.rsplit(",", 1)[1])
            self.names[path].operations.append(("truncate", size, b""))
        else:
            self.names.pop(path, None)
            self._name_changes.append((path, None))

    def marks(self):
        """Return how far a sync that begins now may reach, per file; "" is the folder."""
        return {name: len(file.operations) for name, file in self.names.items()} | {
            "": len(self._name_changes)
        }

    def image(self, rng=None):
        """Return {name: bytes} as a power cut leaves them; `rng` lets unsynced parts survive."""
        names = {}
        for n, (path, file) in enumerate(self._name_changes):
            if n >= self._names_safe and (rng is None or rng.random() < 0.5):
                continue
            if file is None:
                names.pop(path, None)
            else:
                names[path] = file
        return {Path(path).name: file.image(rng) for path, file in names.items()}


def replay(calls, disk):
    """Feed a disk call by call; yield each call once it has had its effect.

    A sync covers what had been written when it began, so the marks are taken at that line.
    """
    syncs = sorted(
        (call.begun, call.ended) for call in calls if call.name in {"fdatasync", "fsync"}
    )
    marks, next_sync = {}, 0
    for call in calls:  # in the order in which they ended
        while next_sync < len(syncs) and syncs[next_sync][0] <= call.ended:
            # Every call that ended before the sync began has been fed by now.
            _begun, ended = syncs[next_sync]
            marks[ended] = disk.marks()
            next_sync += 1
        disk.feed(call, marks.pop(call.ended, {}))
        yield call


def promises(calls, port):
    """Return what the gateway promised to the broker at 127.0.0.1:`port`, in order."""
    incoming, outgoing = {}, {}
    end = f"->127.0.0.1:{port}]"
    for call in calls:
        if not call.on.startswith("TCP:") or not call.on.endswith(end):
            continue
        if call.name == "recvfrom" and call.strings:
            incoming.setdefault(call.on, []).append((call.ended, call.strings[0][: call.result]))
        elif call.name in {"sendto", "sendmsg", "write", "writev"}:
            data = b"".join(call.strings)[: call.result]
            outgoing.setdefault(call.on, []).append((call.begun, data))
    out = []
    for socket, pieces in outgoing.items():
        deliveries = {}  # message id -> [(line, topic, payload)], a broker uses an id again
        for at, kind, body in packets(incoming.get(socket, [])):
            if kind >> 4 == 3 and kind & 0x06:
                size = int.from_bytes(body[:2], "big")
                mid = int.from_bytes(body[2 + size : 4 + size], "big")
                topic = body[2 : 2 + size].decode()
                deliveries.setdefault(mid, []).append((at, topic, body[4 + size :]))
        for at, kind, body in packets(pieces):
            if kind >> 4 == 4:
                mid = int.from_bytes(body[:2], "big")
                n = bisect_left(deliveries[mid], (at,)) - 1
                _, topic, payload = deliveries[mid][n]
                device, leaf = topic.split("/")[3::2]
                if leaf == "rec":
                    records = [(device, *items[1:3]) for items in sequence(payload)]
                    out.append(Promise(at, "PUBACK", records))
            elif kind >> 4 == 3:
                size = int.from_bytes(body[:2], "big")
                topic = body[2 : 2 + size].decode()
                if topic.endswith("/dn/ack"):
                    device = topic.split("/")[3]
                    records = _acked(device, body[2 + size + (2 if kind & 0x06 else 0) :])
                    out.append(Promise(at, "ack", records))
    return sorted(out, key=lambda promise: promise.at)


def packets(pieces):
    """Yield (line of its first byte, first byte, body) of every MQTT packet in a stream."""
    stream = b"".join(data for _, data in pieces)
    starts, total = [], 0
    for at, data in pieces:
        starts.append((total, at))
        total += len(data)
    pos = n = 0
    while pos < len(stream):
        size = shift = 0
        body = pos + 1
        while body < len(stream):
            size |= (stream[body] & 127) << shift
            shift += 7
            body += 1
            if stream[body - 1] < 128:
                break
        if body + size > len(stream):
            return  # cut off by the end of the trace
        while n + 1 < len(starts) and starts[n + 1][0] <= pos:
            n += 1
        yield starts[n][1], stream[pos], stream[body : body + size]
        pos = body + size


def sequence(payload):
    """Return the items of every record in a good payload."""
    out, rest = [], payload
    while rest:
        items = cbor2.loads(rest)
        out.append(items)
        rest = rest[len(cbor2.dumps(items)) :]
    return out


def _acked(device, payload):
    reader = Reader(payload, 0, len(payload))
    out = []
    while not reader.at_end():
        boot, first, last = messages.read_ack(reader)
        out += [(device, boot, seq) for seq in range(first, last + 1)]
    return out


def early(calls, disk, promised, raws):
    """Return the promises that began before their records were written and synced.

    `raws` maps (device, boot, seq) to the record's bytes, of every record that was made.
    """
    safe_at = {}
    wanted = {identity: raws[identity] for promise in promised for identity in promise.records}
    written = {}  # path -> [(number of operations then, identity)]
    for call in replay(calls, disk):
        if call.name == "pwrite64" and disk.holds(call.on):
            data = call.strings[0]
            found = [identity for identity, raw in wanted.items() if raw in data]
            count = len(disk.names[call.on].operations)
            for identity in found:
                del wanted[identity]
            written.setdefault(call.on, []).extend((count, identity) for identity in found)
        elif call.name in {"fdatasync", "fsync"} and call.on in written:
            safe = disk.names[call.on].safe
            waiting = written[call.on]
            while waiting and waiting[0][0] <= safe:
                safe_at[waiting.pop(0)[1]] = call.ended
    return [
        (promise.what, promise.at, identity, safe_at.get(identity))
        for promise in promised
        for identity in promise.records
        if safe_at.get(identity, promise.at) >= promise.at
    ]
