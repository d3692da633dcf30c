"""The hardware layer: the only place that touches `machine`, `network` and `socket`.

    from agent.hal import open_board
    hal = open_board("esp32s3-devkitc")

`open_board` picks the layer by `sys.platform`. A layer offers, with the same names everywhere:

    name                        the board file's name
    ticks_ms() -> int           monotonic, wraps at 2**30; compare only with `ticks_diff`
    ticks_diff(a, b) -> int     a - b across the wrap
    random(n) -> bytes          n random bytes, n <= 32
    uart(port, settings)        a line: `readinto(buf) -> int` (0: nothing came),
                                `write(data) -> int` (bytes taken; an RS-485 line holds its
                                direction pin while they leave)
    adc(channel) -> reader      `read() -> int | None`: millivolts or milliamperes at the sensor, the
                                board file's ratio applied; None: not fitted
    digital(name) -> reader     `read() -> int | None`: 0 or 1, active level applied; None: not fitted
    connect(host, port)         a stream: `state()` 0 opening, 1 open, -1 closed; `error` says why;
                                `readinto(mv) -> int` (0: nothing), `write(mv) -> int`, `close()`
    network_up() -> bool        there is an address to send from
    boot_stores() -> (a, b)     two independent stores: `load() -> bytes | None`, `save(data)`
    reset_cause() -> int        a code of `wire.codes.RESET_*`
    heap_free() -> int | None   bytes; None on CPython
    feed()                      the watchdog, if it was started
    run(step)                   call `step(now_ms) -> ms until it wants to run` for ever; on the
                                virtual board the host does the calling and `run` returns

Pins are data, one file per board in `boards/`. Nothing here decides anything: back-off, retries and
meanings live above.
"""
