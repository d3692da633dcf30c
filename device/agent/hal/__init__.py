"""The hardware layer: the only place that touches `machine`, `network` and `socket`.

    from agent.hal import open_board
    hal = open_board("esp32s3-devkitc")

`open_board` picks the layer by `sys.platform`. A layer offers, with the same names everywhere:

    name                        the board file's name
    ticks_ms() -> int           monotonic, wraps at 2**30; compare only with `ticks_diff`
    ticks_diff(a, b) -> int     a - b across the wrap
    random(n) -> bytes          n random bytes, n <= 32
    uart(port, baud, parity)    a line: `readinto(buf) -> int` (0: nothing came),
                                `write(data) -> int` (bytes taken; an RS-485 line holds its
                                direction pin while they leave); parity None, 0 even, 1 odd
    fitted(line) -> bool        the board has that line
    adc(channel)                a reader: `read() -> int`, millivolts or milliamperes at the sensor,
                                the board file's ratio applied; None when the board has no such channel
    digital(name)               a reader: `read() -> int`, 1 active, 0 not; None when not fitted
    output(name)                a line that asks other equipment for something: `write(1)` asks,
                                `write(0)` lets go; every start and reset lets go; None when not fitted
    i2c(name)                   a bus: `read(address, register, buf)` fills the buffer,
                                `write(address, register, value)` writes a byte; both raise OSError
                                when nobody answers; None when the board has no such bus
    connect(host, port, trust)  a stream: `state()` 0 opening, 2 securing (writing drives the TLS
                                handshake), 1 open, -1 closed; `error` says why;
                                `readinto(mv) -> int` (0: nothing), `write(mv) -> int`, `close()`;
                                with a `link.trust.Trust` it is TLS, with None plain TCP
    udp(host, port)             datagrams to one address: `readinto(buf) -> int` (0: none came),
                                `write(data) -> int`, `close()`; all of them raise OSError
    network(access)             the interface that this access wants (see hal/net)
    boot_stores() -> (a, b)     two independent stores: `load() -> bytes | None`, `save(data)`
    files()                     the flash, as far as it is the agent's (hal/files.py)
    slot(folder)                the files of an application's slot, "/a" or "/b" (hal/slot.py)
    spare()                     the second file system, None where there is none (device/boards)
    backup()                    a store that survives resets, not power: `load()`, `save(data ≤ 128)`;
                                `wears` where the board has none and it is a file (see keep/memo.py)
    guard()                     the boot guard (device/root/guard.py, docs/boot.md)
    rtc()                       the calendar: `get() -> t | None`, `set(t)`, seconds since 2020;
                                None where there is none
    watchdog(timeout_ms)        starts it, for ever: `feed()`; a port that cannot wait so long bites
                                earlier
    reset(intent)               keeps the reason (codes.INTENT_*) and resets
    deep_sleep(ms)              sleeps, then starts anew; what it goes on with is in the memo
    reset_cause() -> int        a code of `wire.codes.RESET_*`
    heap_free() -> int | None   bytes; None on CPython
    run(step, stop)             call `step(ticks_ms) -> ms until it wants to run` for ever; on the
                                virtual board the host does the calling and `run` returns at once

Pins are data, one file per board in `boards/`. Nothing here decides anything: back-off, retries and
meanings live above.
"""

import sys

_LAYERS = {"esp32": "esp32", "rp2": "rp2", "pyboard": "stm32", "webassembly": "virtual"}


def open_board(name):
    """Return the hardware layer of the board that `boards/<name>.py` describes.

    Raises ValueError when there is no such board file, or this interpreter is no board.
    """
    layer = _LAYERS.get(sys.platform)
    if layer is None:
        raise ValueError("no hardware layer for the platform " + sys.platform)
    try:
        pins = _module("agent.hal.boards." + name.replace("-", "_"))
    except ImportError:
        raise ValueError("no board file for " + name)
    return _module("agent.hal." + layer).Board(pins)


def _module(name):
    __import__(name)
    return sys.modules[name]
