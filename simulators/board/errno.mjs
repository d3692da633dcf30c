/**
 * Error numbers as MicroPython boards know them: Linux's, whatever system Node runs on.
 *
 * The WebAssembly build was compiled against WASI's numbers (ENOENT is 44 there), so no error may
 * leave the board's kernel without passing through `numberOf`.
 */

const NUMBERS = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EPIPE: 32,
  ENAMETOOLONG: 36,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENETUNREACH: 101,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
  EALREADY: 114,
  EINPROGRESS: 115,
};

const CODES = Object.fromEntries(Object.entries(NUMBERS).map(([code, number]) => [number, code]));

/** An error with a name from errno.h, like those of node:fs. */
export class SystemError extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }

  static ofNumber(number) {
    return new SystemError(CODES[number]);
  }
}

/** The number of a name such as "ENOENT"; an unknown name is an I/O error. */
export function numberOf(code) {
  return NUMBERS[code] ?? NUMBERS.EIO;
}
