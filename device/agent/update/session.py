"""An update from its offer to its end (docs/update.md).

    update = Update(files, slot_files, guard, release_key, target, confirm_ms)
    update.take(message, now_ms)             a message of dn/ota
    payload = update.next_report(now_ms)     one of up/ota, or None
    update.arm(image)                        the signed command "update" has said so
    update.prove()                           the self-test passed, and the gateway has answered
    if update.reset: …                       an INTENT_ code: the agent resets, for this

One name per state, the codes UPDATE_*, and one table of what follows what. A start goes on where the
last one was cut: the offer lies in one file that is replaced whole, the chunks in another that only
grows; whether a trial was good is the guard's word. What takes long is done in slices, one a `poll`.
"""

from agent.compat import const
from agent.errors import LocalError, RemoteError
from agent.update.ed25519 import verify
from agent.update.image import NAME as CHUNKS
from agent.update.image import Chunks, walk
from agent.update.kept import Kept
from agent.wire import manifest, messages
from agent.wire.codes import INTENT_ROLLBACK, INTENT_UPDATE

_EIO = const(5)
_REPORT_MS = const(1000)  # between two reports of the same state
_RESET_MS = const(3000)  # for the answer and the report to leave before the board goes
_LOOK_MS = const(100)
_QUIET_MS = const(60000)  # without a chunk: a board that sleeps may do so
_RESERVE = const(32768)  # bytes of flash that an update leaves to everything else
_FILE_WASTE = const(4096)  # a file takes whole blocks
_IMAGE_MAX = const(262144)  # a profile has 80 KiB (DESIGN §8)

# The codes UPDATE_* again (a test holds them equal): as constants they cost no memory.
_NONE = const(0)
_RECEIVING = const(1)
_VERIFYING = const(2)
_STAGED = const(3)
_ARMED = const(4)
_TRIAL = const(5)
_CONFIRMED = const(6)
_ROLLED_BACK = const(7)
_BAD_SIGNATURE = const(8)
_OLDER = const(10)
_OTHER_BOARD = const(11)
_TOO_LARGE = const(12)
_BAD_DIGEST = const(13)
_NO_STORAGE = const(14)
_MALFORMED = const(15)

# What follows what, by state. A new offer leads from any but ARMED and TRIAL to RECEIVING, or to the
# reason why not; a start finds TRIAL by the guard.
_NEXT = (
    (),
    (_VERIFYING, _NO_STORAGE),  # RECEIVING
    (_STAGED, _BAD_DIGEST, _MALFORMED, _NO_STORAGE),  # VERIFYING
    (_ARMED,),  # STAGED
    (_CONFIRMED, _ROLLED_BACK, _STAGED),  # ARMED
    (_CONFIRMED, _ROLLED_BACK),  # TRIAL
)
_GOING = (_RECEIVING, _VERIFYING, _STAGED)
_BOUND = (_ARMED, _TRIAL)
_AWAKE = (_RECEIVING, _VERIFYING, _ARMED, _TRIAL)


class Update(Kept):
    """One device's update.

    `slot_files(folder)` gives the files of a slot; `key` is the release key; `target` is (board,
    profile code, version of .mpy files or 0) of this agent; a trial has `confirm_ms` to be proven.
    """

    def __init__(self, files, slot_files, guard, key, target, confirm_ms):
        super().__init__(files)
        self.reset = 0
        self._slot_files = slot_files
        self._guard = guard
        self._key = key
        self._target = target
        self._confirm_ms = confirm_ms
        self._chunks: Chunks = None  # type: ignore[assignment]  # RECEIVING and VERIFYING have them
        self._job = None
        self._until_ms = None  # the end of a trial, or the reset
        self._aside = None  # (image, code) of an offer that was refused beside a going update
        self._told = None  # the state that was last reported
        self._told_ms = 0
        self._due = False
        self._quiet = False
        self._chunk_ms = None
        self._resume()

    @property
    def going(self):
        """Whether a sleep now would hold an update up; one that is staged, or starved, may wait."""
        if self.state == _RECEIVING and self._quiet:
            return False
        return self._job is not None or self.state in _AWAKE

    def connected(self):
        """Note that the link is up: the gateway may not know how far this is."""
        self._due = self.state != _NONE

    def poll(self, now_ms):
        """Do a slice of what is to be done; return the milliseconds until it wants to again."""
        if self._job is not None:
            try:
                next(self._job)
            except StopIteration:
                self._job = None
            except RemoteError:
                self._finish(_MALFORMED)
            except OSError:
                self._finish(_NO_STORAGE)
            return 0
        if self.state == _RECEIVING and not self._chunks.missing:
            self._enter(_VERIFYING)
            self._job = self._stage()
            return 0
        if self._chunk_ms is None:
            self._chunk_ms = now_ms
        self._quiet = now_ms - self._chunk_ms > _QUIET_MS
        if self.state in _BOUND:
            self._bound(now_ms)
        return _LOOK_MS

    def take(self, message, now_ms):
        """Take what `messages.read_ota_down` gave. Raises RemoteError for what cannot be."""
        image = message[1]
        if message[0] == messages.OFFER:
            if image == self.image and self.state != _NONE:
                self._due = True
            elif self._job is None and self.state not in _BOUND:
                self._job = self._consider(image, message[2], message[3], message[4])
        elif self._job is not None:
            return  # it is sent again
        elif image != self.image or self.state == _NONE:
            self._aside = (image, _NONE)  # offer it first
        elif self.state == _RECEIVING:
            self._due = True
            self._chunk_ms = now_ms
            try:
                self._chunks.put(message[2], message[3])
            except OSError:
                self._finish(_NO_STORAGE)
        else:
            self._due = True

    def next_report(self, now_ms):
        """Return the payload of a report that is due, or None; of one state one a second at most."""
        have = b""
        if self.state == self._told and now_ms - self._told_ms < _REPORT_MS:
            return None
        if self._aside is not None:
            image, state = self._aside
            self._aside = None
        elif self._due:
            image, state = self.image, self.state
            self._due = False
            self._told = state
            if state == _RECEIVING and self._job is None:
                have = bytes(self._chunks.have)
        else:
            return None
        self._told_ms = now_ms
        buf = bytearray(len(have) + 16)
        return buf[: messages.put_ota_report(buf, image, state, have)]

    def arm(self, image):
        """Let the next start try the image; return (result, detail) for the command's answer."""
        if image != self.image or self.state != _STAGED:
            return messages.RESULT_REFUSED, bytes((self.state,))
        if not self._guard.arm():
            return messages.RESULT_NO_STORAGE, b""
        self._enter(_ARMED)
        self.keep()
        return messages.RESULT_DONE, b""

    def prove(self):
        """Confirm a trial: this application works and has been heard."""
        if self.state == _TRIAL:
            self._guard.confirm()
            self._confirmed()

    def _resume(self):
        """Go on from what the last start left, and from what the guard says of it."""
        if self._guard.trial:
            self.state = _TRIAL
            self.keep()
        elif self.state in _BOUND:
            told = self._guard.update
            if told == _CONFIRMED:
                self._confirmed()
            elif told == _ROLLED_BACK or self.state == _TRIAL:
                self._finish(_ROLLED_BACK)
            else:
                self._finish(_STAGED)  # the guard has lost its table: it was never tried
        elif self.state == _RECEIVING:
            self._job = self._receive()

    def _bound(self, now_ms):
        limit_ms = self._confirm_ms if self.state == _TRIAL else _RESET_MS
        if self._until_ms is None:
            self._until_ms = now_ms + limit_ms
        elif now_ms >= self._until_ms:
            self.reset = INTENT_UPDATE
            if self.state == _TRIAL:
                self.reset = INTENT_ROLLBACK
                self._guard.roll_back(_ROLLED_BACK)
                self._finish(_ROLLED_BACK)

    def _consider(self, image, size, data, signature):
        """Judge an offer, a slice at a time; the update that goes on stays until it is genuine."""
        try:
            code = self._misfit(size, data)
            if not code:
                if not (yield from verify(self._key, signature, manifest.SIGNED + data)):
                    code = _BAD_SIGNATURE
        except RemoteError:
            code = _MALFORMED
        except OSError:
            code = _NO_STORAGE
        if code:
            if self.state in _GOING:
                self._aside = (image, code)
            else:
                self.image = image
                self.state = code
                self._due = True
            return
        self.image = image
        self._due = True
        self._chunk_ms = None
        if data == self.manifest and self.state in _GOING:
            if self._chunks is not None:
                self._chunks.close()
        else:
            self._forget()
            self.state = _RECEIVING
        self.manifest = data
        self.signature = signature
        self.keep()
        if self.state == _RECEIVING:
            yield from self._receive()

    def _misfit(self, size, data):
        """Return why this device will not have it, or 0."""
        _, counter, told, _, profile, board, _, abi = manifest.read(data)
        if size != told:
            return _MALFORMED
        if (board, profile, abi) != self._target:
            return _OTHER_BOARD
        if counter < self.counter:
            return _OLDER
        if size > _IMAGE_MAX:
            return _TOO_LARGE
        folder = self._guard.other()
        if folder is None:
            return _NO_STORAGE  # started without a guard: nothing would try it, or go back
        slot = self._slot_files(folder)
        names = slot.names()
        room = self._files.free() + sum([slot.size(name) for name in names])
        # Twice: the chunks, and the files they become, which take about as many as are there now.
        if room < 2 * size + len(names) * _FILE_WASTE + _RESERVE:
            return _NO_STORAGE
        return 0

    def _receive(self):
        """Find what has come already."""
        _, _, size, _, _, _, chunk, _ = manifest.read(self.manifest)
        self._chunks = Chunks(self._files, size, chunk)
        yield from self._chunks.scan()
        self._due = True

    def _stage(self):
        """Check the whole, unpack it beside the running application, and read it back."""
        chunks = self._chunks
        digest = manifest.read(self.manifest)[3]
        if (yield from walk(chunks)) != digest:
            self._finish(_BAD_DIGEST)
            return
        self._guard.claim()
        slot = self._slot_files(self._guard.other())
        # What a slot is started by goes first and comes last: half a slot does not start.
        for name in sorted(slot.names(), key=_mains_first):
            slot.remove(name)
            yield
        yield from walk(chunks, slot, True)
        if (yield from walk(chunks, slot)) != digest:
            raise OSError(_EIO)  # the flash does not keep what it is given
        self._finish(_STAGED)

    def _confirmed(self):
        self.raise_counter()
        self._finish(_CONFIRMED)

    def _finish(self, state):
        """Enter a state in which the chunks are of no more use."""
        self._job = None
        self._enter(state)
        self.keep()
        self._forget()

    def _enter(self, state):
        if self.state > _TRIAL or state not in _NEXT[self.state]:
            raise LocalError("update: %d to %d" % (self.state, state))
        self.state = state
        self._until_ms = None
        self._due = True

    def _forget(self):
        """Drop the chunks."""
        try:
            if self._chunks is not None:
                self._chunks.close()
            if self._files.size(CHUNKS):
                self._files.remove(CHUNKS)
        except OSError:
            self.damaged += 1
        self._chunks = None  # type: ignore[assignment]


def _mains_first(name):
    return name.encode() not in manifest.MAINS
