"""Puts a board's files on it over its REPL, proves that they are there, and starts it.

    files = contents(folder)                    what toolkit.bundle wrote
    with Link("/dev/ttyACM0") as link:
        done = Installation(link, files, layer="esp32").run()
    report = restart(Port("/dev/ttyACM0"))      .warning is empty where it came back

mpremote's own transport carries everything. Only files that differ are written (SHA-256, computed on
the board), each beside the old one, compared, then renamed; /data and /b are not touched. The safe agent
is first and what starts the board is last: at no moment does a file start what is not there yet.

A write that was verified and a restart that failed are two outcomes (regression 14 of
reference/micropython.md): the first raises nothing, the second is `Restart.warning`.
"""

import contextlib
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from toolkit import firmware
from toolkit.ports import Port, again, listed
from toolkit.repl import Link, LinkError

PLATFORMS: Final = {"esp32": "esp32", "rp2": "rp2", "stm32": "pyboard", "virtual": "webassembly"}
APPLICATION: Final = "/a"
_FOLDERS: Final = ("/safe", APPLICATION)  # what else is in them goes
_START: Final = ("/guard.mpy", "/guard.py", "/launch.mpy", "/launch.py", "/boot.py", "/main.py")
_CHUNK: Final = 1536  # bytes written at once: 2 KiB of base64 are little in any board's memory
_TELL: Final = 25  # files between two lines of progress
_BACK_S: Final = 30.0  # to come back after a reset; USB takes a few seconds on some computers
_SETTLE_S: Final = 1.5  # of the agent's start, before it is interrupted for a look

# What runs on the board. Names begin with _fw: the board's own are in the same space.
_HELPERS: Final = """
import os as _fwo
from binascii import a2b_base64 as _fwd, hexlify as _fwx
from hashlib import sha256 as _fws
def _fw_hash(p):
 try:f=open(p,'rb')
 except OSError:return ''
 h=_fws();b=bytearray(1024);v=memoryview(b)
 while 1:
  n=f.readinto(b)
  if not n:break
  h.update(v[:n])
 f.close()
 return _fwx(h.digest()).decode()
def _fw_tell(p,n):print(repr((p,n,_fw_hash(p))))
def _fw_walk(p):
 try:rows=list(_fwo.ilistdir(p))
 except OSError:return
 for r in rows:
  q=p+'/'+r[0]
  if r[1]&0x4000:_fw_walk(q)
  else:_fw_tell(q,r[3])
def _fw_root(names):
 for r in list(_fwo.ilistdir('/')):
  if not r[1]&0x4000 and r[0] in names:_fw_tell('/'+r[0],r[3])
def _fw_mkdir(p):
 try:_fwo.mkdir(p)
 except OSError as e:
  if e.errno!=17:raise
def _fw_end(p,h):
 if _fw_hash(p+'.new')!=h:return 0
 _fwo.rename(p+'.new',p)
 return 1
"""
_FACTS: Final = """
import sys as _fwy
try:from fairway_board import MARKER as _fwm
except ImportError:_fwm=b''
_fwv=_fwo.statvfs('/')
print(repr((_fwy.platform,getattr(_fwy.implementation,'_mpy',0),_fwv[0],_fwv[0]*_fwv[4],_fwm)))
"""
_FORGET: Final = """
for _fwp in ('/data/guard-a','/data/guard-b'):
 try:_fwo.remove(_fwp)
 except OSError:pass
try:
 from esp32 import NVS as _fwn
 _fwn=_fwn('fairway');_fwn.erase_key('guard');_fwn.commit()
except (ImportError,OSError):pass
"""
_MARK: Final = "_fw_before=1"
_RESET: Final = "import machine;machine.reset()"
# The guard counts every reset by software; this one was no failure of the application's, and a board on
# a bench has no gateway to prove itself to. `failed` is the count before it.
_RUNNING: Final = """
_fwb='_fw_before' in globals()
try:
 from guard import running as _fwr
 if _fwr and not _fwb and not _fwr.trial:
  _fwr.excuse()
 _fwr=_fwr and _fwr.folder
except Exception:_fwr=None
print(repr((_fwb,_fwr)))
"""


class InstallError(Exception):
    """An installation that failed.

    `step` is where ("connect", "check", "compare", "write", "remove", "verify"), `cause` and `action`
    are for people, `board` says what is on the board now.
    """

    def __init__(self, step: str, cause: str, action: str = "", board: str = "") -> None:
        super().__init__(cause)
        self.step = step
        self.cause = cause
        self.action = action
        self.board = board


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder as they will be named on the board, in the order to write."""
    files = {
        "/" + path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    return dict(sorted(files.items(), key=lambda item: (_rank(item[0]), item[0])))


def _rank(path: str) -> int:
    """Return a file's turn: folders in their order, what starts them after them."""
    for n, folder in enumerate(_FOLDERS):
        if path.startswith(folder + "/"):
            return n
    return len(_FOLDERS) + (_START.index(path) if path in _START else -1)


@dataclass(frozen=True)
class Entry:
    """A file on the board; `digest` is SHA-256 in hexadecimal digits."""

    size: int
    digest: str


@dataclass
class Installation:
    """One board that gets `files`; the lists say how far it came.

    `say` gets a line for people at each step.
    """

    link: Link
    files: Mapping[str, bytes]
    layer: str
    say: Callable[[str], None] = lambda _: None
    step: str = "connect"
    same: int = 0
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    firmware: str = ""

    def run(self, *, begin_anew: bool = False) -> None:
        """Check, compare, write, remove what is left over, and verify everything.

        Args:
            begin_anew: the boot guard forgets failures and updates, so that slot a is next.

        Raises:
            InstallError: says at which step, and what is on the board now.
        """
        try:
            self._check()
            there = self._compare()
            self._room(there)
            self._write()
            self._clear()
            self._verify()
            if begin_anew:
                self.step = "begin-anew"
                self.link.run(_FORGET)
        except LinkError as error:
            again_text = "run the same command again: it goes on from there"
            raise InstallError(self.step, str(error), again_text, self.state()) from error
        except KeyboardInterrupt as error:
            raise InstallError(self.step, "interrupted", "", self.state()) from error
        except InstallError as error:
            error.board = self.state()
            raise

    def state(self) -> str:
        """Return what is on the board now, for people."""
        if self.untouched:
            return "nothing on the board was changed"
        done = f"{len(self.written)} files are new on the board, each compared when it was written"
        if self.waiting:
            done += f"; {self.same} were the same; {len(self.waiting)} others are not written yet"
        elif self.step in {"remove", "verify"}:
            done += (
                "; what is left over there is perhaps not removed, and not everything is verified"
            )
        elif self.step == "begin-anew":
            done += "; all are verified; only the boot guard's table is perhaps not forgotten"
        return done

    @property
    def untouched(self) -> bool:
        """Whether the board is as it was."""
        return self.step in {"connect", "check", "compare"}

    def _check(self) -> None:
        """Hold the board against what was compiled for it, before anything is written."""
        self.step = "check"
        self.link.run(_HELPERS)
        ((platform, mpy, self._block, self._free, marker),) = self.link.values(_FACTS)
        found = firmware.marker(marker)
        self.firmware = f"{found.board} {found.version}" if found else "stock"
        self.say(f"{self.link.device}: {platform}, firmware: {self.firmware}")
        if platform != PLATFORMS[self.layer]:
            raise InstallError(
                "check",
                f"the board is a {platform!r}, these files are for {self.layer}"
                f" ({PLATFORMS[self.layer]!r})",
                "is it the right board? then give the --layer and --board that it has",
            )
        for path, data in self.files.items():
            if path.endswith(".mpy"):
                wrong = mpy_refusal(data, mpy)
                if wrong:
                    raise InstallError(
                        "check",
                        f"the board cannot load these files: {wrong}",
                        "flash the MicroPython release that the toolkit's mpy-cross belongs to",
                    )

    def _compare(self) -> dict[str, Entry]:
        self.step = "compare"
        there = self._there()
        for path, data in self.files.items():
            if path in there and there[path].digest == sha256(data).hexdigest():
                self.same += 1
            else:
                self.waiting.append(path)
        size = sum(len(self.files[path]) for path in self.waiting)
        self.say(f"{self.same} files are the same, {len(self.waiting)} to write ({size} bytes)")
        return there

    def _room(self, there: Mapping[str, Entry]) -> None:
        """Refuse what would not fit: each file is written beside the one it replaces."""
        blocks = 0
        beside = 0
        for path in self.waiting:
            old = -(-there[path].size // self._block) if path in there else 0
            blocks += max(-(-len(self.files[path]) // self._block) - old, 0)
            beside = max(beside, old)
        known = {folder for path in there for folder in _parents(path)}
        new = {folder for path in self.waiting for folder in _parents(path)} - known
        needed = (blocks + beside + 2 * len(new)) * self._block  # littlefs: two blocks a folder
        if needed > self._free:
            raise InstallError(
                "check",
                f"the flash has {self._free} bytes free, {needed} are needed",
                "remove what does not belong there, or use a board with more flash",
            )

    def _write(self) -> None:
        self.step = "write"
        made: set[str] = set()
        while self.waiting:
            path = self.waiting[0]
            for folder in _parents(path):
                if folder not in made:
                    self.link.run(f"_fw_mkdir({folder!r})")
                    made.add(folder)
            if not self._put(path):
                raise InstallError(
                    "write",
                    f"{path} was written, and reads back differently",
                    "run the same command again; if it stays so, the cable or the flash is bad",
                )
            self.written.append(self.waiting.pop(0))
            if len(self.written) % _TELL == 0 and self.waiting:
                self.say(f"{len(self.written)} written, {len(self.waiting)} to go")

    def _put(self, path: str) -> bool:
        """Write a file beside the old one; rename it if it reads back as what it should be."""
        data = self.files[path]
        lines = [f"_fwf=open({path + '.new'!r},'wb')"]
        for at in range(0, len(data), _CHUNK):
            lines.append(f"_=_fwf.write(_fwd({b64encode(data[at : at + _CHUNK])!r}))")
            if at + _CHUNK < len(data):
                self.link.run("\n".join(lines))
                lines.clear()
        lines.append(f"_fwf.close()\nprint(_fw_end({path!r},{sha256(data).hexdigest()!r}))")
        return self.link.values("\n".join(lines)) == [1]

    def _clear(self) -> None:
        """Remove what is left over: an old .py would be loaded in place of the .mpy beside it."""
        self.step = "remove"
        for path in self._there():
            if path not in self.files:
                self.link.run(f"_fwo.remove({path!r})")
                self.removed.append(path)

    def _verify(self) -> None:
        self.step = "verify"
        there = {path: entry.digest for path, entry in self._there().items()}
        wanted = {path: sha256(data).hexdigest() for path, data in self.files.items()}
        wrong = sorted(path for path in {*there, *wanted} if there.get(path) != wanted.get(path))
        if wrong:
            raise InstallError(
                "verify",
                f"{len(wrong)} files are not what was written, the first is {wrong[0]}",
                "run the same command again; if it stays so, the flash is bad",
            )
        self.say(f"{len(wanted)} files verified; {len(self.removed)} old ones removed")

    def _there(self) -> dict[str, Entry]:
        """Return what is on the board where files of ours lie."""
        names = [name[1:] + suffix for name in _START for suffix in ("", ".new")]
        rows: list[Any] = []
        for folder in _FOLDERS:
            rows += self.link.values(f"_fw_walk({folder!r})")
        rows += self.link.values(f"_fw_root({names!r})")
        return {path: Entry(size, digest) for path, size, digest in rows}


def mpy_refusal(data: bytes, mpy: int) -> str:
    """Return why a board would not load an .mpy file, "" if it will.

    Args:
        data: the file; only its four bytes of header are read.
        mpy: `sys.implementation._mpy` of the board; 0 where it has none.
    """
    if not mpy:
        return "it loads no .mpy files at all"
    if len(data) < 4 or data[0:1] != b"M":
        return "one of them is no .mpy file"
    if data[1] != mpy & 0xFF:
        return f"they are .mpy version {data[1]}, it loads version {mpy & 0xFF}"
    architecture, sub_version = (
        data[2] >> 2 & 0xF,
        data[2] & 3,
    )  # of machine code, where there is any
    if architecture and (architecture, sub_version) != (mpy >> 10 & 0xF, mpy >> 8 & 3):
        return "they hold machine code of another architecture"
    return ""


def _parents(path: str) -> list[str]:
    """Return the folders of a file, the outermost first."""
    parts = path.split("/")[1:-1]
    return ["/" + "/".join(parts[: n + 1]) for n in range(len(parts))]


@dataclass(frozen=True)
class Restart:
    """How a restart went: `runs` is the folder that the boot guard started, "" if not known."""

    warning: str = ""
    action: str = ""
    runs: str = ""
    port: str = ""


def restart(
    link: Link,
    port: Port,
    *,
    ports: Callable[[], Sequence[Port]] = listed,
    back_s: float = _BACK_S,
) -> Restart:
    """Reset a board, see that it came back and what it started, and let its program run.

    Nothing is raised: whatever fails here, what was verified before stays true.

    Args:
        link: open; closed afterwards.
        port: where the board is.
        ports: tells the ports there are; a board may come back under another name.
        back_s: seconds it has to come back.
    """
    try:
        link.run(_MARK)
        link.start(_RESET)
    except LinkError as error:
        link.close()
        return Restart(f"the reset could not be sent: {error}", _BY_HAND)
    link.close()
    for _ in range(2):
        time.sleep(_SETTLE_S)
        found = _come_back(port, ports, back_s)
        if found is None:
            return Restart(f"the board did not come back within {back_s:.0f} s", _BY_HAND)
        link = found
        try:
            ((before, runs),) = link.values(_RUNNING)
        except LinkError as error:
            link.close()
            return Restart(f"the board came back and was lost again: {error}", _BY_HAND)
        started = link.let_go()
        link.close()
        if before:
            return Restart("the board answers, but did not reset", _BY_HAND, port=link.device)
        if not started:
            return Restart("the board was reset, but its program not started", _BY_HAND)
        if runs is not None:
            break
        # It was interrupted before its guard chose; it has just started once more.
    if runs == APPLICATION:
        return Restart(runs=runs, port=link.device)
    if runs is None:
        return Restart("the board came back, but its boot guard did not start", port=link.device)
    return Restart(
        f"the board started {runs}, not {APPLICATION}: its boot guard counts failures of"
        f" {APPLICATION}, or an update has taken its place (docs/boot.md)",
        "to have it start what was installed, run the same command with --begin-anew",
        runs,
        link.device,
    )


_BY_HAND: Final = "switch the board off and on; every file on it is verified"


def _come_back(port: Port, ports: Callable[[], Sequence[Port]], back_s: float) -> Link | None:
    """Return the board's REPL once it answers."""
    end_s = time.monotonic() + back_s
    while True:
        now = again(port, ports())
        if now is not None:
            link = Link(now.device)
            with contextlib.suppress(LinkError):
                link.open(fresh=False, patience_s=0)
                return link
        if time.monotonic() > end_s:
            return None
        time.sleep(0.2)
