"""Looks into a mosquitto.conf for what would cost messages, speed or safety, line by line.

    for fault in check_broker_settings(Path("/etc/mosquitto/mosquitto.conf"), batch=500):
        log.warning("%s", fault)

What each setting does is measured (reference/gateway.md §2) or from mosquitto.conf(5). A setting that
is absent counts with mosquitto's default. Settings of one listener under `per_listener_settings` are
not told apart.
"""

from pathlib import Path
from typing import Final, NamedTuple

FILES_MAX: Final = 100  # of one include_dir
FILE_MAX: Final = 1_000_000  # bytes

WINDOW: Final = 2000  # what config/mosquitto.conf has, and why, stands there
QUEUED: Final = 1_000_000
_QUEUED_MIN: Final = 100_000  # some seconds of the largest site, a day of a small one
_QUEUED_BYTES: Final = 1_073_741_824
_QUEUED_BYTES_MIN: Final = 104_857_600
_AUTOSAVE_S: Final = 30
_AUTOSAVE_MAX_S: Final = 60
_PACKET_MIN: Final = 8192  # a payload of the contract has up to 4,096 bytes, and a topic
_WINDOW_MAX: Final = 65_535  # message ids
_LOOPBACK: Final = ("127.", "::1", "localhost")
_TRUE: Final = ("true", "1")


class Setting(NamedTuple):
    """One line: where it stands and what it says. `line` 0: it is nowhere, this is the default."""

    file: Path
    line: int
    value: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else str(self.file)


class Settings:
    """A mosquitto.conf with what it includes; of a setting given twice the last one counts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        self.lines: list[tuple[str, Setting]] = []
        self._read(path, included=False)

    def get(self, key: str, default: str) -> Setting:
        """Return a setting, or its default."""
        found = [setting for name, setting in self.lines if name == key]
        return found[-1] if found else Setting(self.path, 0, default)

    def integer(self, key: str, default: int) -> tuple[Setting, int]:
        """Return a setting and its number; what is no number is noted, and counts as the default."""
        setting = self.get(key, str(default))
        try:
            return setting, int(setting.value)
        except ValueError:
            self.problems.append(f"{setting}: {key} is {setting.value!r}, which is no number")
            return setting, default

    def is_true(self, key: str) -> bool:
        """Return whether a setting is true; the default of all that are asked for here is false."""
        return self.get(key, "false").value.lower() in _TRUE

    def _read(self, path: Path, *, included: bool) -> None:
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                text = file.read(FILE_MAX)
        except OSError as error:
            self.problems.append(f"{path}: cannot be read: {error.strerror}")
            return
        for number, line in enumerate(text.splitlines(), 1):
            key, _, value = line.strip().partition(" ")
            if not key or key.startswith("#"):
                continue
            value = value.strip()
            self.lines.append((key, Setting(path, number, value)))
            if key == "include_dir" and not included:
                for part in sorted(Path(value).glob("*.conf"))[:FILES_MAX]:
                    self._read(part, included=True)


def check_broker_settings(path: Path, batch: int, user: str = "gateway") -> list[str]:
    """Return what is wrong: each with FILE:LINE, what it means, and the line to write instead.

    Args:
        path: a mosquitto.conf; relative include_dir and acl_file count from the working folder, as
            mosquitto itself does it.
        batch: messages of one commit (commit.batch).
        user: the gateway's name at the broker.
    """
    settings = Settings(path)
    if not settings.lines:
        return settings.problems or [f"{path}: holds no setting at all"]
    faults = [
        *_window(settings, batch),
        *_queue(settings),
        *_persistence(settings),
        *_access(settings, user),
        *_listeners(settings),
    ]
    return settings.problems + faults


def _fault(setting: Setting, key: str, means: str, write: str) -> str:
    said = f"is {setting.value}" if setting.line else f"is not set, which means {setting.value}"
    return f"{setting}: {key} {said}: {means}; write: {write}"


def _window(settings: Settings, batch: int) -> list[str]:
    setting, window = settings.integer("max_inflight_messages", 20)
    if window == 0 or window >= batch:
        return []
    means = f"a commit waits for up to {batch} messages and never gets more than {window}"
    wanted = min(max(WINDOW, 2 * batch), _WINDOW_MAX)
    return [_fault(setting, "max_inflight_messages", means, f"max_inflight_messages {wanted}")]


def _queue(settings: Settings) -> list[str]:
    faults = []
    setting, queued = settings.integer("max_queued_messages", 1000)
    write = f"max_queued_messages {QUEUED}"
    if queued == 0:
        means = "not unlimited before mosquitto 2.0.22, and 2.0.16 loses messages by it"
        faults.append(_fault(setting, "max_queued_messages", means, write))
    elif queued < _QUEUED_MIN:
        means = "while the gateway is away, what comes beyond it is dropped in silence"
        faults.append(_fault(setting, "max_queued_messages", means, write))
    setting, size = settings.integer("max_queued_bytes", 0)
    write = f"max_queued_bytes {_QUEUED_BYTES}"
    if size == 0:
        means = (
            "no bound: a long absence of the gateway may take all memory, and the broker with it"
        )
        faults.append(_fault(setting, "max_queued_bytes", means, write))
    elif size < _QUEUED_BYTES_MIN:
        means = "while the gateway is away, what comes beyond it is dropped in silence"
        faults.append(_fault(setting, "max_queued_bytes", means, write))
    for key in ("max_packet_size", "message_size_limit"):
        setting, size = settings.integer(key, 0)
        if 0 < size < _PACKET_MIN:
            means = "records sent together are larger than that"
            faults.append(_fault(setting, key, means, f"{key} {_PACKET_MIN}"))
    return faults


def _persistence(settings: Settings) -> list[str]:
    faults = []
    expires = settings.get("persistent_client_expiration", "never")
    if expires.line:
        means = "a gateway that is away for longer finds its queue deleted"
        faults.append(
            _fault(expires, "persistent_client_expiration", means, "nothing: remove the line")
        )
    if settings.get("retain_available", "true").value.lower() not in _TRUE:
        means = "who is connected is known from retained messages"
        retain = settings.get("retain_available", "true")
        faults.append(_fault(retain, "retain_available", means, "retain_available true"))
    plugins = [s.value for key, s in settings.lines if key in {"plugin", "global_plugin"}]
    if any("persist" in plugin for plugin in plugins):
        return faults
    if not settings.is_true("persistence"):
        means = "a restart of the broker empties its queue and forgets the gateway's session"
        setting = settings.get("persistence", "false")
        return [*faults, _fault(setting, "persistence", means, "persistence true")]
    changes = settings.get("autosave_on_changes", "false")
    if changes.value.lower() in _TRUE:
        means = "the whole queue is written anew every few messages: the longer it is, the slower"
        write = f"autosave_on_changes false, and autosave_interval {_AUTOSAVE_S}"
        return [*faults, _fault(changes, "autosave_on_changes", means, write)]
    setting, every = settings.integer("autosave_interval", 1800)
    if not 0 < every <= _AUTOSAVE_MAX_S:
        means = f"the queue is written every {every} s, and a crash loses what came since"
        if every == 0:
            means = "the queue is written at the end only, and a crash loses it"
        write = f"autosave_interval {_AUTOSAVE_S}"
        faults.append(_fault(setting, "autosave_interval", means, write))
    return faults


def _access(settings: Settings, user: str) -> list[str]:
    faults = []
    anonymous = settings.get("allow_anonymous", "false")
    if anonymous.value.lower() in _TRUE:
        means = "anybody may connect, and a name proves nothing"
        faults.append(_fault(anonymous, "allow_anonymous", means, "allow_anonymous false"))
    if not settings.is_true("use_username_as_clientid"):
        means = "a device that calls itself by the gateway's client id ends the gateway's session"
        setting = settings.get("use_username_as_clientid", "false")
        faults.append(
            _fault(setting, "use_username_as_clientid", means, "use_username_as_clientid true")
        )
    rules = settings.get("acl_file", "none")
    if rules.line:
        return faults + _rules(Path(rules.value), user)
    if not any(key in {"plugin", "auth_plugin", "global_plugin"} for key, _ in settings.lines):
        means = "every device may write in every other's name"
        write = "acl_file /etc/fairway/mosquitto.rules, a copy of config/mosquitto.rules"
        faults.append(_fault(rules, "acl_file", means, write))
    return faults


def _rules(path: Path, user: str) -> list[str]:
    """Return what is wrong with the rules: who may write and read what (DESIGN §2)."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(FILE_MAX)
    except OSError as error:
        return [f"{path}: cannot be read: {error.strerror}; look yourself, or run this as root"]
    faults = []
    given: set[tuple[str, str, str]] = set()  # (whose, how, filter)
    whose = ""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "user":
            whose = " ".join(words[1:])
            continue
        how = words[1] if len(words) > 2 and words[1] in _HOW else "readwrite"
        what = words[-1]
        who = "%" if words[0] == "pattern" else whose
        given |= {(who, one, what) for one in _HOW[how]}
        open_to_all = who in {"%", ""} and "%u" not in what and how != "deny"
        if open_to_all and (what.startswith(("fw/", "#", "+/"))):
            faults.append(
                f"{path}:{number}: {line.strip()}: this lets every device into others' topics;"
                " remove it, or name the device in it by %u"
            )
    wanted = [
        ("%", "write", "fw/1/+/%u/up/#", "pattern write fw/1/+/%u/up/#"),
        ("%", "read", "fw/1/+/%u/dn/#", "pattern read fw/1/+/%u/dn/#"),
    ]
    mine = f", below `user {user}`"
    if not any(who == user and how == "read" and "/up/" in what for who, how, what in given):
        wanted.append((user, "read", "", f"topic read fw/1/+/+/up/#{mine}"))
    if not any(who == user and how == "write" and "/dn/" in what for who, how, what in given):
        wanted.append((user, "write", "", f"topic write fw/1/+/+/dn/#{mine}"))
    faults += [
        f"{path}: a rule is missing; write: {line}"
        for who, how, what, line in wanted
        if (who, how, what) not in given
    ]
    return faults


def _listeners(settings: Settings) -> list[str]:
    """Return the listeners that let passwords and records pass in plain text."""
    faults = []
    listener: Setting | None = None
    secured = False
    for key, setting in [*settings.lines, ("listener", Setting(settings.path, 0, ""))]:
        if key in {"listener", "port"}:
            if listener is not None and not secured and not _is_local(listener.value):
                faults.append(
                    f"{listener}: listener {listener.value}: passwords and records pass in plain"
                    " text; write: certfile, keyfile and cafile below it, or bind it to 127.0.0.1"
                )
            listener, secured = (setting if key == "listener" else None), False
        elif key in {"certfile", "psk_hint"}:
            secured = True
        elif key == "tls_version" and setting.value in {"tlsv1", "tlsv1.1"}:
            faults.append(
                _fault(setting, "tls_version", "broken for years", "tls_version tlsv1.2")
            )
    return faults


def _is_local(listener: str) -> bool:
    words = listener.split()
    unix = bool(words) and words[0] == "0"  # a Unix socket
    return unix or (len(words) > 1 and words[1].startswith(_LOOPBACK))


_HOW: Final = {
    "read": ("read",),
    "write": ("write",),
    "readwrite": ("read", "write"),
    "deny": (),
}
