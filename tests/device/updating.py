"""A device that is updated: its flash, its guard, a gateway of few words, and the power that fails."""

import os
import sys

from fakes import FakeFiles, PowerCut
from releases import SEED, TARGET, public
from support import ON_MICROPYTHON

from agent.update.session import Update
from agent.wire import codes, messages

ROOT = "/root" if ON_MICROPYTHON else os.path.join(os.path.dirname(__file__), "../../device/root")
sys.path.append(ROOT)

from guard import Guard  # noqa: E402

KEY = public(SEED)
OLD = (("agent/version.mpy", b"old"), ("agent/main.mpy", b"start"))
CONFIRM_MS = 600000
FINAL = (
    codes.UPDATE_CONFIRMED,
    codes.UPDATE_ROLLED_BACK,
    codes.UPDATE_BAD_SIGNATURE,
    codes.UPDATE_OLDER,
    codes.UPDATE_OTHER_BOARD,
    codes.UPDATE_TOO_LARGE,
    codes.UPDATE_BAD_DIGEST,
    codes.UPDATE_NO_STORAGE,
    codes.UPDATE_MALFORMED,
)


class Noted(FakeFiles):
    """A flash that notes after which step each of its writes began."""

    def __init__(self, size=1 << 20):
        super().__init__(size)
        self.began = []

    def _step(self, n=1):
        self.began.append(self.steps)
        super()._step(n)


class Folder:
    """A folder of the flash: what `hal.files()` or a slot sees of it."""

    def __init__(self, flash, folder):
        self._flash = flash
        self._at = folder + "/"

    def names(self):
        return [n[len(self._at) :] for n in self._flash.names() if n.startswith(self._at)]

    def size(self, name):
        return self._flash.size(self._at + name)

    def read(self, name):
        return self._flash.read(self._at + name)

    def replace(self, name, data):
        self._flash.replace(self._at + name, data)

    def append(self, name):
        return self._flash.append(self._at + name)

    def open(self, name):
        return self._flash.open(self._at + name)

    def remove(self, name):
        self._flash.remove(self._at + name)

    def free(self):
        return self._flash.free()


class Store:
    """One of the guard's two."""

    def __init__(self, flash, name):
        self._flash = flash
        self._name = name

    def load(self):
        return self._flash.read(self._name)

    def save(self, data):
        self._flash.replace(self._name, data)


class Device:
    """A device with its flash; `works` says whether a version reaches the gateway, and if it starts."""

    def __init__(self, flash=None, target=TARGET):
        self.flash = flash or FakeFiles()
        for name, data in OLD:
            self.flash.files["a/" + name] = data
        self.finish("well", target)

    def finish(self, works, target=TARGET):
        """What is not the flash's."""
        self.target = target
        self.works = {b"old": "well", b"new": works}
        self.starts = 0
        self.ran = []
        self.now_ms = 0
        self.update = None

    def start(self, innocent=False):
        """Start until something runs; return nothing, as a device does."""
        while True:
            self.starts += 1
            stores = [Store(self.flash, "guard-" + which) for which in "ab"]
            self.guard = Guard(stores, self.exists)
            self.guard.choose(innocent)
            slot = self.guard.folder[1:]
            files = {
                n[len(slot) + 7 :]: data
                for n, data in self.flash.files.items()
                if n.startswith(slot + "/agent/")
            }
            version = files.get("version.mpy")
            self.ran.append(version)
            if "main.mpy" in files and self.works[version] != "crashes":
                break
            innocent = False
        self.version = version
        self.now_ms = 0
        self.update = Update(
            Folder(self.flash, "data"),
            lambda folder: Folder(self.flash, folder[1:]),
            self.guard,
            KEY,
            self.target,
            CONFIRM_MS,
        )
        self.update.connected()

    def exists(self, path):
        return any(name.startswith(path[1:] + "/") for name in self.flash.files)

    def step(self, ms=1000):
        """Run until a poll has nothing to do; return the reports."""
        reports = []
        self.now_ms += ms
        while True:
            wait_ms = self.update.poll(self.now_ms)
            payload = self.update.next_report(self.now_ms)
            if payload is not None:
                reports.append(messages.read_ota_up(bytes(payload)))
            if self.update.reset:
                self.start()
            elif wait_ms:
                break
        if self.works[self.version] == "well" and self.now_ms > 5000:
            self.update.prove()
        return reports

    def take(self, payload):
        self.update.take(messages.read_ota_down(payload, 0, len(payload)), self.now_ms)


class Gateway:
    """Offers a release, sends what is missing, arms what is staged. `lost(n)` loses message n."""

    def __init__(self, release, image=7, lost=lambda n: False):
        self.release = release
        self.image = image
        self.lost = lost
        self.sent = 0
        self.chunks_sent = 0
        self.states = []
        self.arm = True

    def send(self, device, put, *items):
        self.sent += 1
        if self.lost(self.sent):
            return
        buf = bytearray(4096)
        device.take(buf[: put(buf, *items)])

    def offer(self, device):
        release = self.release
        self.send(
            device,
            messages.put_ota_offer,
            self.image,
            len(release.image),
            release.manifest,
            release.signature,
        )

    def take(self, device, report):
        image, state, have = report
        if image != self.image or self.lost(self.sent):
            return
        if not self.states or self.states[-1] != state:
            self.states.append(state)
        if state == codes.UPDATE_NONE:
            self.offer(device)
        elif state == codes.UPDATE_RECEIVING and have:
            window = 4
            for index, data in enumerate(self.release.chunks()):
                if window and not have[index >> 3] >> (index & 7) & 1:
                    window -= 1
                    self.chunks_sent += 1
                    self.send(device, messages.put_ota_chunk, self.image, index, data)
        elif state == codes.UPDATE_STAGED and self.arm:
            device.update.arm(self.image)

    def result(self):
        return self.states[-1] if self.states else None


class Losses:
    """Half of all messages, drawn."""

    def __init__(self, seed):
        self._drawn = seed

    def __call__(self, n):
        self._drawn = self._drawn * 1103515245 + 12345 & 0x3FFFFFFF
        return self._drawn >> 8 & 7 < 4


def carry(device, gateway, rounds=3000, cut_after=None):
    """Run both until there is a final result; a power cut restarts the device."""
    for n in range(rounds):
        try:
            if n == cut_after:
                raise PowerCut
            if device.update is None:
                device.start(innocent=True)
            for report in device.step():
                gateway.take(device, report)
            if gateway.result() in FINAL:
                return gateway.result()
            if n % 10 == 0:
                gateway.offer(device)
        except PowerCut:
            device.flash.restart()
            device.update = None
    return gateway.result()


def slot(flash, name):
    return {n[2:]: data for n, data in flash.files.items() if n.startswith(name + "/")}
