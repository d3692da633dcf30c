/**
 * Host directories as the board's file systems.
 *
 * A file system answers with plain values and throws errors that carry a `code` (node:fs's own, or
 * SystemError). Paths are absolute, "/"-separated and already free of "." and "..".
 */

import fs from 'node:fs';
import path from 'node:path';

import {SystemError} from './errno.mjs';

export const BLOCK_SIZE = 4096;

/** Flash of the reference board left to files (8 MB, less 2 MB of firmware). */
const CAPACITY = 6 * 1024 * 1024;

/**
 * A flash file system kept in a host directory: every write is in the host's file when the call
 * returns, so that the flash survives the process.
 *
 * All access to the flash goes through this class and its open files: this is the place to make a
 * flash fill up, wear out or lose power in the middle of a write. The capacity is told (`statvfs`)
 * but not yet enforced.
 */
export class Flash {
  #root;

  /** root: the host directory that is the flash's "/". */
  constructor(root) {
    this.#root = root;
  }

  stat(name) {
    return fs.statSync(this.#host(name));
  }

  exists(name) {
    return fs.existsSync(this.#host(name));
  }

  /** Names in a directory, sorted, so that two runs see the same order. */
  list(name) {
    return fs.readdirSync(this.#host(name), {withFileTypes: true})
      .map((entry) => ({name: entry.name, isDirectory: entry.isDirectory()}))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** flags: of `fs.constants` (O_RDWR | O_CREAT …). */
  open(name, flags) {
    if (fs.statSync(this.#host(name), {throwIfNoEntry: false})?.isDirectory()) {
      throw new SystemError('EISDIR');
    }
    return new FlashFile(fs.openSync(this.#host(name), flags));
  }

  mkdir(name) {
    fs.mkdirSync(this.#host(name));
  }

  rmdir(name) {
    fs.rmdirSync(this.#host(name));
  }

  unlink(name) {
    if (this.stat(name).isDirectory()) {
      throw new SystemError('EISDIR');
    }
    fs.unlinkSync(this.#host(name));
  }

  rename(from, to) {
    fs.renameSync(this.#host(from), this.#host(to));
  }

  /** Blocks in all and blocks free, each file rounded up to whole blocks as on the board. */
  space() {
    const used = fs.readdirSync(this.#root, {recursive: true, withFileTypes: true})
      .map((entry) => fs.statSync(path.join(entry.parentPath, entry.name)))
      .map((stat) => (stat.isFile() ? Math.ceil(stat.size / BLOCK_SIZE) : 1))
      .reduce((sum, blocks) => sum + blocks, 0);
    const blocks = CAPACITY / BLOCK_SIZE;
    return {blocks, free: Math.max(0, blocks - used)};
  }

  #host(name) {
    return path.join(this.#root, name);
  }
}

class FlashFile {
  #fd;

  constructor(fd) {
    this.#fd = fd;
  }

  /** Fill `view` from `position`; return the bytes read, 0 at the end. */
  read(view, position) {
    return fs.readSync(this.#fd, view, 0, view.length, position);
  }

  write(view, position) {
    return fs.writeSync(this.#fd, view, 0, view.length, position);
  }

  stat() {
    return fs.fstatSync(this.#fd);
  }

  close() {
    fs.closeSync(this.#fd);
  }
}

/** A host directory that can be read only: the board's own modules, mounted code and data. */
export class ReadOnly extends Flash {
  open(name, flags) {
    if (flags !== fs.constants.O_RDONLY) {
      throw new SystemError('EROFS');
    }
    return super.open(name, flags);
  }

  mkdir() {
    throw new SystemError('EROFS');
  }

  rmdir() {
    throw new SystemError('EROFS');
  }

  unlink() {
    throw new SystemError('EROFS');
  }

  rename() {
    throw new SystemError('EROFS');
  }
}
