"""What commands do that are no part's own: stage a document, read a file, arm an update, restart.

    actions = {
        messages.SETTINGS: actions.stage(settings_slots, check, restart_for_settings),
        messages.LOG: actions.fetch(files, "log", log.save),
        messages.POST_MORTEM: actions.fetch(files, "crash"),
        messages.UPDATE: actions.arm(update),
        messages.REBOOT: actions.restart(restart),
    }

Each function here returns an action for `commands.Commands`. `then(now_ms)` asks the agent to restart
soon, when the answer has had its time to leave.
"""

import hashlib

from agent.compat import const
from agent.wire import messages
from agent.wire.encode import put_array, put_bytes, put_int
from agent.wire.read import Reader

_HASH = const(4)  # bytes, as `birth.config_hash`
_TEXT_MAX = const(200)
_CHUNK = const(900)  # of a file in one answer


def stage(slots, check, then):
    """Stage a document in two slots. `check(text)` returns what is wrong with it, for people, or "".

    Answered with the first bytes of its SHA-256; one that is wrong with the text, and nothing is done.
    """

    def action(arguments, now_ms):
        wrong = check(arguments)
        if wrong:
            return messages.RESULT_REFUSED, wrong.encode()[:_TEXT_MAX]
        slots.stage(arguments)
        then(now_ms)
        return messages.RESULT_DONE, hashlib.sha256(arguments).digest()[:_HASH]

    return action


def fetch(files, name, save=None):
    """Read a file from [offset] on; answered with [size of the file, bytes]. `save` writes it first."""

    def action(arguments, now_ms):
        offset = _number(arguments)
        if save is not None and not offset:
            save()
        size = files.size(name)
        n = max(min(size - offset, _CHUNK), 0)
        data = bytearray(n)
        if n:
            handle = files.open(name)
            try:
                handle.seek(offset)
                n = handle.readinto(data)
            finally:
                handle.close()
        buf = bytearray(n + 16)
        pos = put_int(buf, put_array(buf, 0, 2), size)
        return messages.RESULT_DONE, bytes(buf[: put_bytes(buf, pos, bytes(data[:n]))])

    return action


def arm(update):
    """Let the next start try the image [image]; the update asks for the restart itself."""

    def action(arguments, now_ms):
        return update.arm(_number(arguments))

    return action


def restart(then):
    """Restart; it is done when the next start says so."""

    def action(arguments, now_ms):
        then(now_ms)
        return _never

    return action


def _never(now_ms):
    return None


def _number(arguments):
    reader = Reader(arguments, 0, len(arguments))
    reader.array(1, 1)
    number = reader.uint()
    reader.finish()
    return number
