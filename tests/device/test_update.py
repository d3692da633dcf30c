"""Updates on a flash that loses power, over a link that loses messages, with a guard that goes back.

Whatever happens, a device ends in a running application, and the gateway with a named result.
"""

import unittest

try:
    import tempfile
except ImportError:  # MicroPython: "/" is the test's own
    tempfile = None

from fakes import FakeFiles
from releases import FILES, Release
from support import ON_MICROPYTHON
from updating import OLD, Device, Gateway, Losses, Noted, carry, slot

from agent.errors import RemoteError
from agent.hal.slot import SlotFiles
from agent.update import session
from agent.wire import codes, messages


class UpdateTest(unittest.TestCase):
    def run_to(self, release, **kwargs):
        self.device = Device()
        self.gateway = Gateway(release, **kwargs)
        return carry(self.device, self.gateway)

    def test_a_good_image(self):
        self.assertEqual(self.run_to(Release(counter=3)), codes.UPDATE_CONFIRMED)
        self.assertEqual(self.device.version, b"new")
        self.assertEqual(slot(self.device.flash, "b"), dict(FILES))
        self.assertEqual(slot(self.device.flash, "a"), dict(OLD))
        self.assertEqual(self.device.ran, [b"old", b"new"])
        # Every state was told, in order; nothing was sent twice, nothing is left behind.
        self.assertEqual(self.gateway.states, [1, 2, 3, 4, 5, 6])
        self.assertEqual(self.gateway.chunks_sent, len(self.gateway.release.chunks()))
        left = [n for n in self.device.flash.names() if n.startswith("data/")]
        self.assertEqual(sorted(left), ["data/update", "data/update-counter"])

    def test_an_image_that_never_reaches_the_gateway_is_rolled_back(self):
        # Regression 5 (reference/micropython.md: RomanAlexandroff/42-Smart-Cluster-Sign#11, and
        # Ropener#32 for its mirror, a good image that must be confirmed: the test above).
        self.device = Device()
        self.device.works[b"new"] = "silent"
        gateway = Gateway(Release())
        self.assertEqual(carry(self.device, gateway), codes.UPDATE_ROLLED_BACK)
        self.assertEqual(self.device.ran, [b"old", b"new", b"old"])
        self.assertEqual(self.device.version, b"old")
        self.assertTrue(codes.UPDATE_TRIAL in gateway.states)
        # It had its time, and the counter of what failed is not held against what works.
        self.assertEqual(carry(self.device, Gateway(Release(counter=0), image=8)), 7)

    def test_an_image_that_crashes_is_rolled_back(self):
        self.device = Device()
        self.device.works[b"new"] = "crashes"
        gateway = Gateway(Release())
        self.assertEqual(carry(self.device, gateway), codes.UPDATE_ROLLED_BACK)
        self.assertEqual(self.device.ran, [b"old", b"new", b"old"])

    def test_the_same_offer_is_not_tried_again_but_a_new_one_is(self):
        self.test_an_image_that_crashes_is_rolled_back()
        gateway = Gateway(Release())
        carry(self.device, gateway, rounds=50)
        self.assertEqual(gateway.states, [codes.UPDATE_ROLLED_BACK])
        self.assertEqual(self.device.starts, 3)
        self.device.works[b"new"] = "well"
        self.assertEqual(carry(self.device, Gateway(Release(), image=8)), codes.UPDATE_CONFIRMED)

    def test_an_older_version(self):
        self.assertEqual(self.run_to(Release(counter=3)), codes.UPDATE_CONFIRMED)
        for image, counter, result in (
            (8, 2, codes.UPDATE_OLDER),
            (9, 3, codes.UPDATE_CONFIRMED),
            (10, 4, codes.UPDATE_CONFIRMED),
            (11, 3, codes.UPDATE_OLDER),
        ):
            gateway = Gateway(Release(counter=counter), image=image)
            self.assertEqual(carry(self.device, gateway), result)

    def test_what_does_not_fit(self):
        big = FILES[:-1] + (("agent/big.mpy", bytes(262144)), FILES[-1])
        for release, result in (
            (Release(seed=bytes(32)), codes.UPDATE_BAD_SIGNATURE),
            (Release(board=b"other"), codes.UPDATE_OTHER_BOARD),
            (Release(profile=2), codes.UPDATE_OTHER_BOARD),
            (Release(abi=5), codes.UPDATE_OTHER_BOARD),
            (Release(files=big, chunk=2048), codes.UPDATE_TOO_LARGE),
        ):
            self.assertEqual(self.run_to(release), result)
            self.assertEqual(self.device.ran, [b"old"])
            self.assertEqual(self.gateway.chunks_sent, 0)

    def test_an_offer_that_lies(self):
        altered = Release()
        altered.manifest = altered.manifest[:-1] + b"\x07"
        self.assertEqual(self.run_to(altered), codes.UPDATE_OTHER_BOARD)
        altered = Release()
        altered.signature = altered.signature[:-1]
        self.assertEqual(self.run_to(altered), codes.UPDATE_BAD_SIGNATURE)
        altered = Release()
        altered.image += b"!"
        self.assertEqual(self.run_to(altered), codes.UPDATE_MALFORMED)
        altered = Release()
        altered.manifest = altered.manifest[:5]
        self.assertEqual(self.run_to(altered), codes.UPDATE_MALFORMED)

    def test_an_altered_chunk(self):
        altered = Release()
        altered.image = altered.image[:300] + b"?" + altered.image[301:]
        self.assertEqual(self.run_to(altered), codes.UPDATE_BAD_DIGEST)
        self.assertEqual(slot(self.device.flash, "b"), {})
        self.assertEqual(self.device.ran, [b"old"])
        # The next try begins with nothing of it.
        self.assertEqual(carry(self.device, Gateway(Release(), image=8)), codes.UPDATE_CONFIRMED)

    def test_signed_nonsense(self):
        for raw in (
            b"\x00" * 100,
            b"\xff" * 100,
            b"\x0fagent/../b.mpy\x00\x00\x01.",
            b"\x06/a.mpy\x00\x00\x01.",
            b"\x0dagent/a b.mpy\x00\x00\x01.",
            Release().image[:-1],
            Release(files=FILES[:-1]).image,
            Release(files=(FILES[-1], FILES[0])).image,
        ):
            self.assertEqual(self.run_to(Release(raw=raw)), codes.UPDATE_MALFORMED)
            self.assertEqual(slot(self.device.flash, "b"), {})

    def test_a_bad_link(self):
        for seed in range(1, 3 if ON_MICROPYTHON else 9):
            self.assertEqual(self.run_to(Release(), lost=Losses(seed)), codes.UPDATE_CONFIRMED)
            self.assertEqual(slot(self.device.flash, "b"), dict(FILES))

    def test_chunks_in_any_order(self):
        self.device = Device()
        self.device.start()
        gateway = Gateway(Release())
        gateway.offer(self.device)
        self.device.step()
        chunks = gateway.release.chunks()
        for index in list(range(len(chunks) - 1, -1, -2)) + list(range(len(chunks))):
            gateway.send(self.device, messages.put_ota_chunk, 7, index, chunks[index])
        self.assertEqual(carry(self.device, gateway), codes.UPDATE_CONFIRMED)
        self.assertEqual(gateway.chunks_sent, 0)

    def test_chunks_that_cannot_be(self):
        self.device = Device()
        self.device.start()
        gateway = Gateway(Release())
        gateway.offer(self.device)
        self.device.step()
        for index, data in ((0, b"short"), (99, bytes(64)), (0, bytes(65))):
            with self.assertRaises(RemoteError):
                gateway.send(self.device, messages.put_ota_chunk, 7, index, data)
        # One of another update is answered: offer it first.
        gateway.send(self.device, messages.put_ota_chunk, 8, 0, bytes(64))
        self.device.now_ms += 1000
        self.assertTrue((8, codes.UPDATE_NONE, b"") in self.device.step())

    def test_reports_are_few(self):
        self.device = Device()
        self.device.start()
        gateway = Gateway(Release(files=FILES + ()))
        gateway.offer(self.device)
        self.device.step()
        told = 0
        for n in range(100):
            gateway.send(
                self.device, messages.put_ota_chunk, 7, n % 5, gateway.release.chunks()[n % 5]
            )
            told += len(self.device.step(ms=100))
        self.assertTrue(5 <= told <= 11, told)
        # Nothing happens, nothing is told.
        self.device.step()
        self.assertEqual(self.device.step(ms=100000), [])

    def test_a_going_update_stands_beside_a_bad_offer(self):
        self.device = Device()
        self.device.start()
        good = Gateway(Release(), image=7)
        good.offer(self.device)
        for report in self.device.step():
            good.take(self.device, report)
        bad = Gateway(Release(seed=bytes(32)), image=8)
        bad.offer(self.device)
        reports = self.device.step() + self.device.step() + self.device.step()
        for report in reports:
            bad.take(self.device, report)
        self.assertEqual(bad.states, [codes.UPDATE_BAD_SIGNATURE])
        self.assertEqual(carry(self.device, good), codes.UPDATE_CONFIRMED)
        self.assertEqual(good.chunks_sent, len(good.release.chunks()))

    def test_the_same_image_under_a_new_number_goes_on(self):
        self.device = Device()
        self.device.start()
        first = Gateway(Release(), image=7)
        first.offer(self.device)
        for _ in range(2):
            for report in self.device.step():
                first.take(self.device, report)
        again = Gateway(Release(), image=8)
        self.assertEqual(carry(self.device, again), codes.UPDATE_CONFIRMED)
        self.assertEqual(first.chunks_sent + again.chunks_sent, len(again.release.chunks()))

    def test_arming_takes_what_is_staged_and_nothing_else(self):
        self.device = Device()
        gateway = Gateway(Release())
        gateway.arm = False
        self.device.start()
        refused = (messages.RESULT_REFUSED, bytes([codes.UPDATE_NONE]))
        self.assertEqual(self.device.update.arm(0), refused)
        carry(self.device, gateway, rounds=60)
        self.assertEqual(gateway.result(), codes.UPDATE_STAGED)
        # It waits for its command, over any number of starts.
        for _ in range(3):
            self.device.start()
            self.device.step(ms=100000)
            self.assertEqual(self.device.version, b"old")
        refused = (messages.RESULT_REFUSED, bytes([codes.UPDATE_STAGED]))
        self.assertEqual(self.device.update.arm(6), refused)
        self.assertEqual(self.device.update.arm(7), (messages.RESULT_DONE, b""))
        self.assertEqual(self.device.update.state, codes.UPDATE_ARMED)
        # What is armed is not exchanged for something else.
        other = Gateway(Release(counter=9), image=8)
        other.offer(self.device)
        self.assertEqual(carry(self.device, gateway), codes.UPDATE_CONFIRMED)
        self.assertEqual(other.states, [])

    def test_no_room(self):
        self.device = Device(FakeFiles(size=33000))
        self.assertEqual(carry(self.device, Gateway(Release())), codes.UPDATE_NO_STORAGE)
        self.assertEqual(self.device.version, b"old")

    def test_without_a_guard_there_is_no_other_slot(self):
        self.device = Device()
        self.device.start()
        self.device.guard.other = lambda: None
        self.assertEqual(carry(self.device, Gateway(Release())), codes.UPDATE_NO_STORAGE)

    def test_the_safe_agent_is_updated_out_of_its_misery(self):
        self.device = Device()
        self.device.flash.files["safe/agent/version.mpy"] = b"safe"
        self.device.flash.files["safe/agent/main.mpy"] = b"start"
        self.device.works = {b"old": "crashes", b"safe": "well", b"new": "well"}
        self.device.start()
        self.assertEqual(self.device.guard.mode, codes.MODE_SAFE)
        self.assertEqual(carry(self.device, Gateway(Release())), codes.UPDATE_CONFIRMED)
        self.assertEqual(self.device.version, b"new")
        self.device.start()
        self.assertEqual(self.device.guard.mode, codes.MODE_NORMAL)
        self.assertEqual(self.device.ran[-2:], [b"new", b"new"])

    def test_going(self):
        self.device = Device()
        self.device.start()
        self.assertFalse(self.device.update.going)
        gateway = Gateway(Release())
        gateway.offer(self.device)
        self.assertTrue(self.device.update.going)
        self.device.step()
        self.assertTrue(self.device.update.going)
        self.device.step(ms=61000)
        self.assertFalse(self.device.update.going)  # nothing comes: no reason to stay awake
        gateway.send(self.device, messages.put_ota_chunk, 7, 0, gateway.release.chunks()[0])
        self.device.step()
        self.assertTrue(self.device.update.going)
        gateway.arm = False
        carry(self.device, gateway, rounds=60)
        self.assertFalse(self.device.update.going)  # staged: it may sleep until its command comes
        gateway.arm = True
        carry(self.device, gateway)
        self.assertFalse(self.device.update.going)

    def test_a_flash_that_fails_midway(self):
        for when in ("chunks", "unpacking"):
            self.device = Device()
            self.device.start()
            gateway = Gateway(Release())
            gateway.offer(self.device)
            self.device.step()
            if when == "chunks":
                self.device.flash.read_only = True
                gateway.send(
                    self.device, messages.put_ota_chunk, 7, 0, gateway.release.chunks()[0]
                )
            else:
                for index, data in enumerate(gateway.release.chunks()):
                    gateway.send(self.device, messages.put_ota_chunk, 7, index, data)
                self.device.flash.size_max = self.device.flash.used() + 300
            self.device.step()
            self.assertEqual(self.device.update.state, codes.UPDATE_NO_STORAGE)
            # With room again, another offer succeeds.
            self.device.flash.read_only = False
            self.device.flash.size_max = 1 << 20
            gateway = Gateway(Release(), image=8)
            self.assertEqual(carry(self.device, gateway), codes.UPDATE_CONFIRMED)

    def test_damaged_files_are_counted_and_begun_anew(self):
        for name, damage in (
            ("data/update", b"?"),
            ("data/update", b""),
            ("data/update-chunks", b"?"),
            ("data/update-chunks", b"\xff" * 66 * 3),
            ("data/update-chunks", b"\x00" * 66 * 3),
        ):
            self.device = Device()
            self.device.start()
            gateway = Gateway(Release())
            gateway.offer(self.device)
            for _ in range(4):
                for report in self.device.step():
                    gateway.take(self.device, report)
            self.device.flash.files[name] = damage
            self.device.start()
            self.assertEqual(carry(self.device, gateway), codes.UPDATE_CONFIRMED)

    def test_power_cut_after_every_chunk(self):
        for rounds in range(1, 24):
            device = Device()
            gateway = Gateway(Release())
            self.assertEqual(carry(device, gateway, cut_after=rounds), codes.UPDATE_CONFIRMED)
            self.assertEqual(slot(device.flash, "b"), dict(FILES))

    def test_power_cut_at_every_flash_write(self):
        for works, result in (
            ("well", codes.UPDATE_CONFIRMED),
            ("silent", codes.UPDATE_ROLLED_BACK),
        ):
            flash = Noted()
            device = Device(flash)
            device.works[b"new"] = works
            carry(device, Gateway(Release()))
            began = flash.began
            self.assertTrue(len(began) > 60, len(began))
            for cut in began[:: 9 if ON_MICROPYTHON else 2]:
                cut_once(self, works, cut + 1, result)


def cut_once(test, works, cut, result):
    """Update with the power cut at one step of the flash; what it ends in must be whole."""
    device = Device()
    device.works[b"new"] = works
    device.flash.cut = cut
    test.assertEqual(carry(device, Gateway(Release())), result)
    test.assertEqual(slot(device.flash, "a"), dict(OLD))
    test.assertEqual(device.version, b"new" if works == "well" else b"old")
    if works == "well":
        test.assertEqual(slot(device.flash, "b"), dict(FILES))


class SlotFilesTest(unittest.TestCase):
    def test_folders_within(self):
        folder = "/slot-b" if ON_MICROPYTHON else tempfile.mkdtemp()
        for _ in range(2):  # on a new folder, and on an old one
            slot = SlotFiles(folder)
            self.assertEqual(slot.names(), [])
            for name, data in FILES:
                handle = slot.append(name)
                handle.write(data)
                handle.close()
            self.assertEqual(sorted(slot.names()), sorted(name for name, _ in FILES))
            for name, data in FILES:
                self.assertEqual((slot.size(name), slot.read(name)), (len(data), data))
                slot.remove(name)
        self.assertTrue(slot.free() > 0)
        slot.append("agent/main.mpy").close()
        with self.assertRaises(OSError):
            slot.append("agent/main.mpy/beneath")


class TableTest(unittest.TestCase):
    def test_the_codes_are_the_contract_s(self):
        if ON_MICROPYTHON:
            self.skipTest("constants with an underscore are folded away")
        for name in dir(session):
            code = getattr(codes, "UPDATE" + name, None)
            if code is not None:
                self.assertEqual(getattr(session, name), code)
