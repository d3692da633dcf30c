/**
 * UARTs, I2C, sockets and RTC memory as files: `readinto` on one of them copies straight from the
 * hardware's buffer into the caller's. The board's Python modules open them; nobody else sees
 * them.
 */

import {SystemError} from './errno.mjs';

const CHARACTER_DEVICE = 0o020666;

export class Devices {
  /** Files without positions. */
  isDevice = true;

  #hardware;

  constructor(hardware) {
    this.#hardware = hardware;
  }

  stat() {
    return {mode: CHARACTER_DEVICE, size: 0, mtimeMs: 0, ino: 1, isDirectory: () => false};
  }

  /** name: "/uart1", "/i2c", "/tcp0" or "/rtc". */
  open(name) {
    const [, kind, number] = /^\/(uart|i2c|tcp|rtc)(\d*)$/.exec(name) ?? [];
    const hardware = this.#hardware;
    switch (kind) {
      case 'uart':
        return this.#file(
          (view) => hardware.readUart(Number(number), view),
          (view) => hardware.writeUart(Number(number), view),
        );
      case 'tcp':
        return this.#file(
          (view) => hardware.readSocket(Number(number), view),
          (view) => hardware.writeSocket(Number(number), view),
        );
      case 'i2c':
        return this.#file((view) => hardware.i2c.read(view), (view) => hardware.i2c.write(view));
      case 'rtc':
        return this.#file(
          (view, position) => {
            const bytes = hardware.rtcMemory.subarray(position, position + view.length);
            view.set(bytes);
            return bytes.length;
          },
          (view) => {
            hardware.rtcMemory = view;
            return view.length;
          },
        );
      default:
        throw new SystemError('ENODEV');
    }
  }

  #file(read, write) {
    return {read, write, stat: () => this.stat(), close: () => {}};
  }
}
