"""The virtual board's flash: what it promises when the power goes, when it is full, when it is broken."""

import json
import signal
from pathlib import Path

import pytest

from simulators.board.process import BoardError, wait_until
from tests.simulators.boards import Board

KIB = 1024


@pytest.fixture
def flash(tmp_path) -> Path:
    return tmp_path / "flash"


def changes(journal: Path) -> list[dict[str, object]]:
    """Read what took place on a flash."""
    return [json.loads(line) for line in journal.read_text().splitlines()]


# What was flushed is there, whole


@pytest.mark.parametrize(
    ("code", "left"),
    [
        ("f.write(b'new')", b"old"),
        ("f.write(b'new'); f.flush()", b"new"),
        ("f.write(b'new'); f.flush(); f.write(b'er')", b"new"),
        ("f.write(b'new'); f.close()", b"new"),
        ("", b"old"),
        ("f.flush()", b""),
    ],
)
def test_what_was_not_flushed_is_lost_whole(flash, code, left):
    with Board(flash, {"log": "old"}) as board:
        board.exec(f"f = open('/log', 'wb')\n{code}")
        assert board.kill() == -signal.SIGKILL
    assert (flash / "log").read_bytes() == left


def test_others_see_a_file_as_it_was_flushed(flash):
    with Board(flash, {"log": "one"}) as board:
        assert board.exec(
            "import os\n"
            "f = open('/log', 'r+b')\n"
            "f.seek(2)\n"
            "f.write(b'ion')\n"
            "f.seek(0)\n"
            "old = open('/log', 'rb')\n"
            "print(f.read(), open('/log').read(), os.stat('/log')[6])\n"
            "f.flush()\n"
            "print(open('/log').read(), os.stat('/log')[6], old.read())\n"
        ).splitlines() == ["b'onion' one 3", "onion 5 b'one'"]


def test_a_new_file_is_there_and_empty_before_its_first_flush(flash):
    with Board(flash, {}) as board:
        board.exec("f = open('/new', 'wb')\nf.write(b'lost')")
        board.kill()
    assert (flash / "new").read_bytes() == b""


@pytest.mark.parametrize(
    ("end", "left"),
    [("machine.soft_reset()", "kept"), ("machine.reset()", ""), ("machine.deepsleep(1)", "")],
)
def test_a_soft_reset_closes_files_and_a_hard_one_does_not(flash, end, left):
    main = f"""
import machine
if machine.reset_cause() == machine.PWRON_RESET:
    f = open('/log', 'w')
    f.write('kept')
    {end}
print('log', open('/log').read())
"""
    with Board(flash, {"main.py": main}) as board:
        assert wait_until(lambda: f"log {left}\n" in board.printed, 5)


def test_a_file_that_is_open_follows_its_name(flash):
    with Board(flash, {}) as board:
        board.exec(
            "import os\n"
            "f, g = open('/a', 'wb'), open('/b', 'wb')\n"
            "f.write(b'moved')\n"
            "os.rename('/a', '/c')\n"
            "f.flush()\n"
            "g.write(b'gone')\n"
            "os.remove('/b')\n"
            "g.close()\n"
        )
        board.kill()
    assert {file.name: file.read_bytes() for file in flash.iterdir()} == {"c": b"moved"}


# Power cuts

# Each file is replaced as the agent does it, and two of them always are of one mind.
WRITER = """
import os
def replace(name, data):
    with open(name + '.new', 'wb') as file:
        for at in range(0, len(data), 50):
            file.write(data[at:at + 50])
        file.flush()
    os.rename(name + '.new', name)
for n in range(9):
    replace('/small', b'%02d' % n * 20)
    replace('/large', b'%02d' % n * 3000)
    with open('/log', 'ab') as log:
        log.write(b'%02d' % n * 100)
print('wrote')
"""


def test_a_power_cut_at_any_byte_leaves_old_or_new(flash, tmp_path):
    journal = tmp_path / "journal"
    with Board(flash, {}, journal=journal) as board:
        assert board.exec(WRITER) == "wrote\n"
        total = int(board.exec("import _board; print(_board.flash_programmed())"))
    assert total == changes(journal)[-1]["programmed"]
    for cut in [1, 64, 65, 3000, 6200, 6300, 9000, total - 1, total]:
        for file in flash.iterdir():
            file.unlink()
        journal.unlink()
        board = Board(flash, {"main.py": WRITER}, journal=journal, cut=cut)
        with board:
            assert board.process.wait(10) == -signal.SIGKILL
        assert not board.process.watchdog_bit
        *took_place, last = changes(journal)
        assert last["op"] == "cut"
        assert last["programmed"] >= cut
        logged = [change for change in took_place if change["name"] == "/log"]
        log = (flash / "log").read_bytes() if logged else b""
        assert log == b"".join(b"%02d" % n * 100 for n in range(len(log) // 200))
        assert len(log) == (logged[-1]["size"] if logged else 0)
        for name, length in (("small", 20), ("large", 3000)):
            renamed = [one for one in took_place if one["name"] == f"/{name}.new /{name}"]
            if renamed:
                expected = b"%02d" % (len(renamed) - 1) * length
                assert (flash / name).read_bytes() == expected
            else:
                assert not (flash / name).exists()
        with Board(flash, {"main.py": "print('boots')"}) as again:
            assert wait_until(lambda again=again: "boots" in again.printed, 5)


def test_the_key_value_store_loses_power_with_the_flash(flash):
    main = "from esp32 import NVS\nnvs = NVS('a')\nfor n in range(99):\n    nvs.set_i32('n', n)\n"
    with Board(flash, {"main.py": main + "    nvs.commit()\n"}, cut=2000) as board:
        assert board.process.wait(10) == -signal.SIGKILL
    with Board(flash, {"main.py": ""}) as board:
        assert 0 < int(board.exec("from esp32 import NVS\nprint(NVS('a').get_i32('n'))")) < 98


def test_the_power_can_fail_during_the_start(flash):
    files = {"boot.py": "open('/x', 'w').close()"}
    try:
        with Board(flash, files, cut=1) as board:
            assert board.process.wait(10) == -signal.SIGKILL
    except BoardError:
        pytest.fail("the board is ready before its programs run")
    assert not (flash / "x").exists()


# Room and wear


def test_a_full_flash_says_so_and_loses_nothing_else(flash):
    with Board(flash, {"log": "old"}, flash_bytes=64 * KIB) as board:
        assert board.exec(
            "import os\n"
            "f = open('/big', 'wb')\n"
            "count = 0\n"
            "try:\n"
            "    while True:\n"
            "        count += f.write(bytes(1000))\n"
            "except OSError as e:\n"
            "    print(count, e.errno)\n"
            "f.close()\n"  # littlefs commits nothing of a file that failed
            "print(os.stat('/big')[6], open('/log').read())\n"
            "with open('/big', 'wb') as f:\n"
            "    f.write(bytes(50000))\n"
            "block, _, blocks, free = os.statvfs('/')[:4]\n"
            "print(block, blocks, free)\n"
            "os.remove('/big')\n"
            "print(os.statvfs('/')[3])\n"
        ).splitlines() == ["57000 28", "0 old", "4096 16 1", "14"]


def test_replacing_a_file_needs_room_for_both(flash):
    with Board(flash, {"a": "x" * 5000, "b": "x" * 20000}, flash_bytes=40 * KIB) as board:
        attempt = (
            "try:\n"
            "    with open('/{0}', 'wb') as f:\n"
            "        f.write(bytes({1}))\n"
            "    print('fits')\n"
            "except OSError as e:\n"
            "    print(e.errno)\n"
        )
        assert board.exec(attempt.format("a", 4000)) == "fits\n"
        assert board.exec(attempt.format("b", 20000)) == "28\n"
    assert (flash / "b").read_text() == "x" * 20000


def test_wear_is_counted(flash):
    """Flushing each small piece of a log copies its last block again and again (reference B6)."""
    append = """
import _board
before = _board.flash_programmed(), _board.flash_erased()
with open('/log{0}', 'ab') as f:
    for _ in range(100):
        f.write(bytes(40))
        {1}
print(_board.flash_programmed() - before[0], _board.flash_erased() - before[1])
"""
    with Board(flash, {}) as board:
        gathered = board.exec(append.format(1, "pass"))
        single = board.exec(append.format(2, "f.flush()"))
    bytes_gathered, erases_gathered = map(int, gathered.split())
    bytes_single, erases_single = map(int, single.split())
    assert 4000 < bytes_gathered < 4400
    assert erases_gathered == 1
    assert bytes_single > 100_000
    assert erases_single >= 97


# A flash that cannot be mounted

LOOK = """
import os, _board
print(_board.mounted(), os.listdir('/'))
for call in (lambda: open('/main.py'), lambda: open('/x', 'w'), lambda: os.mkdir('/x')):
    try:
        call()
    except OSError as e:
        print(e.errno)
"""


def test_a_corrupt_flash_is_not_there_and_not_touched(flash):
    with Board(flash, {"main.py": "print('never')"}, corrupt=True) as board:
        assert board.exec(LOOK) == "False []\n19\n19\n19\n"
        assert "never" not in board.printed
    assert (flash / "main.py").read_text() == "print('never')"


def test_the_firmwares_own_start_comes_first_and_can_stand_in(flash, tmp_path):
    rom = tmp_path / "rom"
    rom.mkdir()
    (rom / "safe.py").write_text("import _board\n_board.run(lambda now: 50)\nprint('safe')\n")
    start = (
        "import _board, sys\nsys.path.append('/rom')\nif not _board.mounted():\n    import safe\n"
    )
    (rom / "_boot.py").write_text(start)
    files = {"boot.py": "print('boot')", "main.py": "print('main')"}
    with Board(flash, files, rom=rom) as board:
        assert wait_until(lambda: "boot\nmain\n" in board.printed, 5)
        assert "safe" not in board.printed
    with Board(flash, files, rom=rom, corrupt=True) as board:
        assert wait_until(lambda: "safe" in board.printed, 5)
        assert "boot" not in board.printed
