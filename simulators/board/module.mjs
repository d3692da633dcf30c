/**
 * `_board`, the module through which the board's Python modules (lib/) reach the host.
 *
 * Its functions take and give numbers and strings; they never throw (see interpreter.mjs).
 */

import {createHash, randomInt} from 'node:crypto';

/** Causes of a reset, with the numbers of MicroPython's ESP32 port. */
export const CAUSE = {POWER_ON: 1, HARD: 2, WATCHDOG: 3, DEEP_SLEEP: 4, SOFT: 5};

/** A locally administered MAC address that belongs to the board's name. */
function macAddress(name) {
  const bytes = createHash('sha256').update(name).digest().subarray(0, 6);
  bytes[0] = (bytes[0] & 0xfc) | 0x02;
  return bytes.toString('hex');
}

export function boardModule(
  {options, hardware, clock, chip, cause, run, reset, deepSleep, measured},
) {
  return {
    heap: options.heap,
    measured,
    mac: macAddress(options.name),

    // The program
    run: (step, stop) => run(step, stop ?? null),
    reset,
    reset_cause: () => cause,
    deep_sleep: (ms) => deepSleep(ms < 0 ? Infinity : ms),

    // Time
    sleep_ms: (ms) => void hardware.waitFor(() => false, ms),
    set_calendar: (seconds) => {
      clock.setCalendar(seconds * 1000);
      hardware.calendar = clock.calendarMs();
    },
    random: () => randomInt(0x100_0000),

    // Pins, Wi-Fi, I2C, watchdog
    adc_uv: (pin) => hardware.microvolts(pin),
    level: (pin) => hardware.level(pin),
    output: (pin, level) => hardware.setOutput(pin, level),
    network: () => hardware.networkUp,
    i2c_select: (address, register) => hardware.i2c.select(address, register),
    watchdog: (ms) => hardware.setWatchdog(ms),
    feed: () => hardware.feed(),

    // Flash
    mounted: () => !options.corrupt,
    flash_programmed: () => chip.programmed,
    flash_erased: () => chip.erased,

    // UARTs
    uart_open: (number, byteUs, rxbuf) => hardware.openUart(number, byteUs, rxbuf),
    uart_close: (number) => hardware.closeUart(number),
    uart_any: (number) => hardware.uartWaiting(number),
    uart_wait: (number, ms) => hardware.waitUart(number, ms),
    uart_sending_ms: (number) => hardware.uartSendingMs(number),
    overruns: (number) => hardware.uartOverruns(number),

    // Sockets
    tcp_create: (datagram) => hardware.createSocket(datagram),
    tcp_connect: (number, host, port) => hardware.connectSocket(number, host, port),
    tcp_state: (number) => hardware.socketState(number),
    tcp_error: (number) => hardware.socketError(number),
    tcp_poll: (number) => hardware.pollSocket(number),
    tcp_wait: (number, events, ms) => hardware.waitSocket(number, events, ms),
    tcp_close: (number) => hardware.closeSocket(number),
    resolve: (host) => hardware.resolve(host),
  };
}
