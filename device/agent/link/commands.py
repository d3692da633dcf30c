"""Commands from afar: who may give them, when, and each at most once.

    commands = Commands(files, identity.device, identity.key, clock, hal.random, actions)
    answer = commands.take(message, buf, start, end, now_ms)    a payload of up/cmd, or None: later
    answer = commands.next_answer(now_ms)                       what came of one that took its time

`actions` maps verbs to functions of (arguments, now_ms). One gives (result, detail) at once, or, when
it takes time, a function of now_ms that gives None until it gives that. For arguments that make no
sense it raises RemoteError before it has done anything.

A command is judged in this order, and each refusal has a result of its own: for another device; wrong
tag; an id that is known (answered again, nothing is done); an id that is too old; past its expiry;
unknown verb; another command goes on; nonce. The last ids lie in flash with their answers. The id of a
dangerous command lies there before it is begun: after a power cut at any moment it was carried out once
or not at all, and it is never begun again.
"""

import binascii

from agent.compat import const, print_exception
from agent.errors import RemoteError
from agent.wire import messages as m
from agent.wire import sign
from agent.wire.encode import put_array, put_bytes, put_int
from agent.wire.read import Reader

_NAME = "commands"
_KEPT = const(16)  # ids with their answers; a gateway sends one command at a time
_CHECK = const(4)  # bytes of the tag that tell two commands of one id apart
_DETAIL_KEPT = const(32)  # bytes of a detail that is kept; a longer one is answered once
_FILE_MAX = const(900)  # CRC, and as many entries of at most 50 bytes
_NONCE = const(8)
_NONCE_SHARE_MS = const(300000)  # asked again within this time, the nonce is the same
_NONCE_MS = const(600000)  # it lives at least half of this after it was asked for
_GOING_MAX_MS = const(120000)  # no command takes longer

# An entry: [id, verb, check, result, detail]; result None: begun.
_ID = const(0)
_VERB = const(1)
_CHECK_AT = const(2)
_RESULT = const(3)
_DETAIL = const(4)

_READ_ONLY = (m.LOG, m.POST_MORTEM)  # carried out as often as they come, and not kept


class Commands:
    """Takes commands. `done` and `refused` are counted, `unsaved` counts writes that flash refused.

    `damaged` says that the kept ids could not be read at start: what needs no nonce could then be
    replayed until it expires.
    """

    def __init__(self, files, device, key, clock, random, actions):
        self.done = 0
        self.refused = 0
        self.unsaved = 0
        self._files = files
        self._device = device
        self._key = key
        self._mark = m.mark(device)
        self._clock = clock
        self._random = random
        self._actions = actions
        self._nonce = None
        self._nonce_ms = 0
        self._going = None  # (entry, function, until when)
        self._unsaid = []  # answers that nobody has asked for yet
        self._entries: list = []
        self.damaged = not self._load()
        for entry in self._entries:
            if entry[_RESULT] is None:
                # A restart is what some were for; of the others nobody knows how they ended.
                entry[_RESULT] = (
                    m.RESULT_DONE if entry[_VERB] == m.REBOOT else m.RESULT_INTERRUPTED
                )
                self._unsaid.append(_answer(entry))
        if self._unsaid:
            self._save()

    @property
    def going(self):
        """Whether a command goes on, or its answer waits."""
        return self._going is not None or bool(self._unsaid)

    def ask_nonce(self, ask, now_ms):
        """Return the payload that gives a nonce; one that was just given is given again."""
        if self._nonce is None or now_ms - self._nonce_ms > _NONCE_SHARE_MS:
            self._nonce = self._random(_NONCE)
            self._nonce_ms = now_ms
        buf = bytearray(32)
        return buf[: m.put_nonce(buf, ask, self._nonce, self._clock.uptime_s())]

    def take(self, message, buf, start, end, now_ms):
        """Take the command `message`, read from `buf[start:end]`; return its answer, or None: later."""
        command = message[1]
        tag = message[7]
        entry = None
        if message[2] != self._mark:
            result = m.RESULT_OTHER_DEVICE
        elif not self._genuine(tag, buf, start, end):
            result = m.RESULT_BAD_TAG
        else:
            entry = self._known(command)
            if entry is None:
                return self._begin(message, now_ms)
            if entry[_CHECK_AT] == tag[:_CHECK]:
                return None if entry[_RESULT] is None else _answer(entry)
            result = m.RESULT_STALE
        return self._refuse(command, result)

    def next_answer(self, now_ms):
        """Return the answer to a command that has come to its end since, or None."""
        if self._going is not None:
            entry, ended, until_ms = self._going
            outcome = _tried(ended, now_ms)
            if outcome is None and now_ms >= until_ms:
                outcome = (m.RESULT_FAILED, b"")
            if outcome is not None:
                self._going = None
                self._unsaid.append(self._end(entry, outcome))
        return self._unsaid.pop(0) if self._unsaid else None

    def _genuine(self, tag, buf, start, end):
        if len(tag) < m.TAG_MIN:
            return False
        part = memoryview(buf)[start : m.signed_end(end, tag)]
        return sign.same(tag, m.command_tag(self._key, self._device, part)[: len(tag)])

    def _known(self, command):
        for entry in self._entries:
            if entry[_ID] == command:
                return entry
        return None

    def _begin(self, message, now_ms):
        _, command, _, verb, until, nonce, arguments, tag = message
        action = self._actions.get(verb)
        kept = verb not in _READ_ONLY
        if kept and self._entries and command <= self._entries[-1][_ID]:
            result = m.RESULT_STALE
        else:
            result = self._late(until)
        if result == m.RESULT_DONE:
            if action is None:
                result = m.RESULT_UNSUPPORTED
            elif self._going is not None:
                result = m.RESULT_BUSY
            elif (until < 0 or verb in m.DANGEROUS) and not self._spend(nonce, now_ms):
                result = m.RESULT_NONCE
        if result != m.RESULT_DONE:
            return self._refuse(command, result)
        entry = [command, verb, tag[:_CHECK], None, b""]
        if kept:
            self._entries.append(entry)
            if len(self._entries) > _KEPT:
                self._entries.pop(0)
            if verb in m.DANGEROUS and not self._save():
                self._entries.pop()
                return self._refuse(command, m.RESULT_NO_STORAGE)
        outcome = _tried(action, arguments, now_ms)
        if not isinstance(outcome, tuple):
            self._going = (entry, outcome, now_ms + _GOING_MAX_MS)
            return None
        return self._end(entry, outcome)

    def _late(self, until):
        """Return RESULT_DONE for a command that has not expired, else why it is not carried out."""
        if until >= 0:
            now = self._clock.t()
            if now < 0:
                return m.RESULT_NO_CLOCK
        else:
            now = self._clock.uptime_s()
            until = -1 - until
        return m.RESULT_EXPIRED if now > until else m.RESULT_DONE

    def _spend(self, nonce, now_ms):
        """Use the nonce up; return whether it was the one."""
        if self._nonce is None or now_ms - self._nonce_ms > _NONCE_MS:
            return False
        if nonce is None or not sign.same(nonce, self._nonce):
            return False
        self._nonce = None
        return True

    def _end(self, entry, outcome):
        """Keep what came of a command; return its answer."""
        result, detail = outcome
        entry[_RESULT] = result
        entry[_DETAIL] = detail if len(detail) <= _DETAIL_KEPT else b""
        if result == m.RESULT_DONE:
            self.done += 1
        else:
            self.refused += 1
        if entry[_VERB] not in _READ_ONLY:
            self._save()
        return _payload(entry[_ID], result, detail)

    def _refuse(self, command, result):
        self.refused += 1
        return _payload(command, result, b"")

    def _save(self):
        """Write the kept ids; return whether the flash took them."""
        buf = bytearray(_FILE_MAX)
        pos = 4
        for entry in self._entries:
            pos = put_array(buf, pos, 5)
            pos = put_int(buf, pos, entry[_ID])
            pos = put_int(buf, pos, entry[_VERB])
            pos = put_bytes(buf, pos, entry[_CHECK_AT])
            pos = put_int(buf, pos, entry[_RESULT])
            pos = put_bytes(buf, pos, entry[_DETAIL])
        view = memoryview(buf)[:pos]
        buf[:4] = _crc(view[4:])
        try:
            self._files.replace(_NAME, view)
        except OSError:
            self.unsaved += 1
            return False
        return True

    def _load(self):
        """Read the kept ids; return whether there was nothing wrong with them."""
        try:
            data = self._files.read(_NAME)
            if data is None:
                return True
            if data[:4] != _crc(data[4:]):
                return False
            reader = Reader(data, 4, len(data))
            while not reader.at_end():
                reader.array(5, 5)
                head = [reader.uint(), reader.uint(), reader.byte_string(_CHECK)]
                result = None if reader.null() else reader.uint()
                self._entries.append(head + [result, reader.byte_string(_DETAIL_KEPT)])
        except (OSError, RemoteError):
            return False
        return True


def _tried(function, *arguments):
    """Call an action; one command's mistake is its own."""
    try:
        return function(*arguments)
    except RemoteError:
        return m.RESULT_ARGUMENTS, b""
    except Exception as error:  # noqa: BLE001  (the answer must say that it failed)
        print_exception(error)
        return m.RESULT_FAILED, b""


def _answer(entry):
    return _payload(entry[_ID], entry[_RESULT], entry[_DETAIL])


def _payload(command, result, detail):
    buf = bytearray(16 + len(detail))
    return buf[: m.put_done(buf, command, result, detail)]


def _crc(data):
    return (binascii.crc32(data) & 0xFFFFFFFF).to_bytes(4, "little")
