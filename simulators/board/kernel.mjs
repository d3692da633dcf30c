/**
 * The system calls under MicroPython: paths, file descriptors, errors.
 *
 * MicroPython's WebAssembly build calls a C library whose system calls end in JavaScript imports.
 * The kernel answers them from file systems of our own (filesystem.mjs, devices.mjs), so that
 * `os.listdir('/')` shows a board's flash and nothing else, and an error has the number that a
 * board gives. What the host provides lives under /.board, which is in no listing.
 *
 * Structures follow musl's 32-bit ABI as Emscripten lays it out.
 */

import fs from 'node:fs';

import {SystemError, numberOf} from './errno.mjs';
import {BLOCK_SIZE} from './filesystem.mjs';

// musl's open flags.
const O_ACCMODE = 3;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_TRUNC = 0o1000;
const O_APPEND = 0o2000;
const O_DIRECTORY = 0o200000;

const AT_REMOVEDIR = 0x200;
const SEEK_CUR = 1;
const SEEK_END = 2;
const DIRENT_SIZE = 280;
const NAME_MAX = 255;
const DT_DIRECTORY = 4;
const DT_FILE = 8;
const POLL_IN_OUT = 5;
const POLL_INVALID = 32;

/** Open files at once: far more than a board's program needs, few enough to catch a leak. */
const MAX_OPEN = 256;

const HOST_FLAGS = [fs.constants.O_RDONLY, fs.constants.O_WRONLY, fs.constants.O_RDWR];

function hostFlags(flags) {
  return HOST_FLAGS[flags & O_ACCMODE]
    | (flags & O_CREAT ? fs.constants.O_CREAT : 0)
    | (flags & O_EXCL ? fs.constants.O_EXCL : 0)
    | (flags & O_TRUNC ? fs.constants.O_TRUNC : 0);
}

export class Kernel {
  #mounts;
  #memory = null;
  #directory = '/';
  #open = [];

  /**
   * mounts: {"/": file system, "/.board/lib": …}; the longest matching prefix answers.
   * console: {write(bytes), read(view) -> bytes read}: descriptors 0 to 2.
   */
  constructor(mounts, console) {
    this.#mounts = Object.entries(mounts).sort(([a], [b]) => b.length - a.length);
    const terminal = {
      read: (view) => console.read(view),
      write: (view) => (console.write(view.slice()), view.length),
      stat: () => ({mode: 0o020666, size: 0, mtimeMs: 0, ino: 1}),
      close: () => {},
    };
    this.#open = [0, 1, 2].map(() => ({file: terminal, seekable: false, position: 0}));
  }

  /** Serve an interpreter whose memory is `memory` (a WebAssembly.Memory). */
  attach(memory) {
    this.#memory = memory;
  }

  /** Close what an interpreter left open; not orderly: what was not flushed is lost. */
  release(orderly) {
    for (const entry of this.#open.splice(3)) {
      if (orderly || !entry?.file?.abandon) {
        entry?.file?.close();
      } else {
        entry.file.abandon();
      }
    }
  }

  /** Whether there is a file or directory of that name. */
  exists(name) {
    const {system, path} = this.#find(name);
    return system.exists(path);
  }

  /** The imports to put in the place of Emscripten's own file system. */
  imports() {
    const calls = {
      __syscall_openat: (_at, name, flags) => this.#openat(this.#text(name), flags),
      __syscall_stat64: (name, out) => this.#writeStat(out, this.#stat(this.#text(name))),
      __syscall_lstat64: (name, out) => this.#writeStat(out, this.#stat(this.#text(name))),
      __syscall_newfstatat: (_at, name, out) =>
        this.#writeStat(out, this.#stat(this.#text(name))),
      __syscall_fstat64: (fd, out) => this.#writeStat(out, this.#entry(fd).file.stat()),
      __syscall_getdents64: (fd, out, size) => this.#getdents(this.#entry(fd), out, size),
      __syscall_mkdirat: (_at, name) => this.#at(name, (system, path) => system.mkdir(path)),
      __syscall_rmdir: (name) => this.#at(name, (system, path) => system.rmdir(path)),
      __syscall_unlinkat: (_at, name, flags) => this.#at(name, (system, path) =>
        (flags & AT_REMOVEDIR ? system.rmdir(path) : system.unlink(path))),
      __syscall_renameat: (_at, from, _to, to) => this.#rename(this.#text(from), this.#text(to)),
      __syscall_statfs64: (name, _size, out) => this.#at(name, (system) =>
        this.#writeSpace(out, system.space())),
      __syscall_chdir: (name) => this.#chdir(this.#text(name)),
      __syscall_getcwd: (out, size) => this.#writeText(out, size, this.#directory),
      __syscall_poll: (list, count) => this.#poll(list, count),
    };
    const streams = {
      fd_read: (fd, vectors, count, out) =>
        this.#transfer(vectors, count, out, (view) => this.#read(this.#entry(fd), view)),
      fd_write: (fd, vectors, count, out) =>
        this.#transfer(vectors, count, out, (view) => this.#write(this.#entry(fd), view)),
      fd_seek: (fd, offset, whence, out) =>
        this.#seek(this.#entry(fd), Number(offset), whence, out),
      fd_sync: (fd) => void this.#entry(fd).file.sync?.(),
      fd_close: (fd) => this.#close(fd),
    };
    return {
      env: wrap(calls, (number) => -number),
      wasi_snapshot_preview1: wrap(streams, (number) => number),
    };
  }

  // Paths

  /** The file system of a path and the path within it. */
  #find(name) {
    const parts = [];
    for (const part of (name.startsWith('/') ? name : `${this.#directory}/${name}`).split('/')) {
      if (part === '..') {
        parts.pop();
      } else if (part !== '' && part !== '.') {
        if (Buffer.byteLength(part) > NAME_MAX) {
          throw new SystemError('ENAMETOOLONG');
        }
        parts.push(part);
      }
    }
    const path = `/${parts.join('/')}`;
    const [prefix, system] = this.#mounts.find(([mount]) =>
      mount === '/' || path === mount || path.startsWith(`${mount}/`));
    return {system, full: path, path: prefix === '/' ? path : path.slice(prefix.length) || '/'};
  }

  #at(name, action) {
    const {system, path} = this.#find(this.#text(name));
    return action(system, path);
  }

  #stat(name) {
    const {system, path} = this.#find(name);
    return system.stat(path);
  }

  #rename(from, to) {
    const old = this.#find(from);
    const next = this.#find(to);
    if (old.system !== next.system) {
      throw new SystemError('EXDEV');
    }
    old.system.rename(old.path, next.path);
  }

  #chdir(name) {
    const {system, path, full} = this.#find(name);
    if (!system.stat(path).isDirectory()) {
      throw new SystemError('ENOTDIR');
    }
    this.#directory = full;
  }

  // Descriptors

  #entry(fd) {
    const entry = this.#open[fd];
    if (!entry) {
      throw new SystemError('EBADF');
    }
    return entry;
  }

  #openat(name, flags) {
    const {system, path} = this.#find(name);
    const free = this.#open.findIndex((entry) => !entry);
    const fd = free < 0 ? this.#open.length : free;
    if (fd >= MAX_OPEN) {
      throw new SystemError('EMFILE');
    }
    this.#open[fd] = flags & O_DIRECTORY
      ? {list: system.list(path), next: 0, file: {stat: () => system.stat(path), close: () => {}}}
      : {
        file: system.open(path, hostFlags(flags)),
        seekable: !system.isDevice,
        append: Boolean(flags & O_APPEND),
        position: 0,
      };
    return fd;
  }

  #close(fd) {
    const {file} = this.#entry(fd);
    this.#open[fd] = undefined;
    file.close();
  }

  #read(entry, view) {
    const count = entry.file.read(view, entry.position);
    entry.position += count;
    return count;
  }

  #write(entry, view) {
    if (entry.append) {
      entry.position = entry.file.stat().size;
    }
    const count = entry.file.write(view, entry.position);
    entry.position += count;
    return count;
  }

  #seek(entry, offset, whence, out) {
    if (entry.list) { // rewinddir
      entry.next = offset;
    } else if (!entry.seekable) {
      throw new SystemError('ESPIPE');
    } else {
      const base = {[SEEK_CUR]: entry.position, [SEEK_END]: entry.file.stat().size}[whence] ?? 0;
      if (base + offset < 0) {
        throw new SystemError('EINVAL');
      }
      entry.position = base + offset;
    }
    this.#view().setBigInt64(out, BigInt(entry.list ? entry.next : entry.position), true);
  }

  #poll(list, count) {
    const view = this.#view();
    let ready = 0;
    for (let at = list; at < list + 8 * count; at += 8) {
      const file = this.#open[view.getInt32(at, true)]?.file;
      const wanted = view.getInt16(at + 4, true) | 8 | 16; // errors and hang-ups are always told
      const state = file ? file.poll?.() ?? POLL_IN_OUT : POLL_INVALID;
      view.setInt16(at + 6, state & (wanted | POLL_INVALID), true);
      ready += state & (wanted | POLL_INVALID) ? 1 : 0;
    }
    return ready;
  }

  /** Run `action` over the I/O vectors until one comes back short; store the bytes moved. */
  #transfer(vectors, count, out, action) {
    let total = 0;
    for (let at = vectors; at < vectors + 8 * count; at += 8) {
      const view = this.#view();
      const length = view.getUint32(at + 4, true);
      const moved = action(new Uint8Array(this.#memory.buffer, view.getUint32(at, true), length));
      total += moved;
      if (moved < length) {
        break;
      }
    }
    this.#view().setUint32(out, total, true);
  }

  // Structures in the interpreter's memory

  #view() {
    return new DataView(this.#memory.buffer);
  }

  #text(pointer) {
    const bytes = new Uint8Array(this.#memory.buffer, pointer);
    return Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString();
  }

  /** Store a string with its final zero; return the bytes taken. */
  #writeText(pointer, size, text) {
    const bytes = Buffer.from(`${text}\0`);
    if (bytes.length > size) {
      throw new SystemError('ENAMETOOLONG');
    }
    new Uint8Array(this.#memory.buffer).set(bytes, pointer);
    return bytes.length;
  }

  #writeStat(out, stat) {
    const view = this.#view();
    const seconds = BigInt(Math.floor(stat.mtimeMs / 1000));
    new Uint8Array(this.#memory.buffer, out, 96).fill(0);
    view.setUint32(out + 4, stat.mode, true);
    view.setUint32(out + 8, 1, true);
    view.setBigInt64(out + 24, BigInt(stat.size), true);
    view.setInt32(out + 32, BLOCK_SIZE, true);
    view.setInt32(out + 36, Math.ceil(stat.size / BLOCK_SIZE), true);
    [40, 56, 72].forEach((field) => view.setBigInt64(out + field, seconds, true));
    view.setBigInt64(out + 88, BigInt(stat.ino), true);
    return 0;
  }

  #writeSpace(out, {blocks, free}) {
    const view = this.#view();
    new Uint8Array(this.#memory.buffer, out, 88).fill(0);
    view.setUint32(out + 4, BLOCK_SIZE, true);
    view.setUint32(out + 60, BLOCK_SIZE, true);
    [blocks, free, free].forEach((value, i) =>
      view.setBigInt64(out + 8 + 8 * i, BigInt(value), true));
    view.setUint32(out + 56, NAME_MAX, true);
    return 0;
  }

  #getdents(entry, out, size) {
    const view = this.#view();
    let at = out;
    for (; entry.next < entry.list.length && at + DIRENT_SIZE <= out + size; at += DIRENT_SIZE) {
      const {name, isDirectory} = entry.list[entry.next++];
      view.setBigInt64(at, 1n, true); // an inode number of 0 would mean "deleted"
      view.setBigInt64(at + 8, BigInt(entry.next), true);
      view.setInt16(at + 16, DIRENT_SIZE, true);
      view.setInt8(at + 18, isDirectory ? DT_DIRECTORY : DT_FILE);
      this.#writeText(at + 19, NAME_MAX + 1, name);
    }
    return at - out;
  }
}

/** Turn thrown errors into numbers: the interpreter knows no JavaScript exceptions. */
function wrap(calls, sign) {
  const guarded = (call) => (...args) => {
    try {
      return call(...args) ?? 0;
    } catch (error) {
      if (typeof error.code !== 'string') {
        throw error; // a fault of ours
      }
      return sign(numberOf(error.code));
    }
  };
  return Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, guarded(call)]));
}
