/**
 * Host directories as the board's file systems: here to be read only, in flash.mjs to be written.
 *
 * A file system answers with plain values and throws errors that carry a `code` (node:fs's own, or
 * SystemError). Paths are absolute, "/"-separated and already free of "." and "..".
 */

import fs from 'node:fs';
import path from 'node:path';

import {SystemError} from './errno.mjs';

export const BLOCK_SIZE = 4096;

/** What all of them have: looking, listing, reading. */
export class HostDirectory {
  /** root: the host directory that is this file system's "/". */
  constructor(root) {
    this.root = root;
  }

  stat(name) {
    return fs.statSync(this.host(name));
  }

  exists(name) {
    return fs.existsSync(this.host(name));
  }

  /** Names in a directory, sorted, so that two runs see the same order. */
  list(name) {
    return fs.readdirSync(this.host(name), {withFileTypes: true})
      .map((entry) => ({name: entry.name, isDirectory: entry.isDirectory()}))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Open for reading. What is read stays as it is now, whatever is written meanwhile. */
  open(name) {
    const host = this.host(name);
    if (fs.statSync(host, {throwIfNoEntry: false})?.isDirectory()) {
      throw new SystemError('EISDIR');
    }
    return new ReadFile(fs.openSync(host, fs.constants.O_RDONLY));
  }

  /** A path on the host. */
  host(name) {
    return path.join(this.root, name);
  }
}

class ReadFile {
  #fd;

  constructor(fd) {
    this.#fd = fd;
  }

  /** Fill `view` from `position`; return the bytes read, 0 at the end. */
  read(view, position) {
    return fs.readSync(this.#fd, view, 0, view.length, position);
  }

  write() {
    throw new SystemError('EBADF');
  }

  stat() {
    return fs.fstatSync(this.#fd);
  }

  close() {
    fs.closeSync(this.#fd);
  }
}

/** A host directory that can be read only: the board's own modules, mounted code and data. */
export class ReadOnly extends HostDirectory {
  open(name, flags) {
    if (flags !== fs.constants.O_RDONLY) {
      throw new SystemError('EROFS');
    }
    return super.open(name);
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

  space() {
    return {blocks: 0, free: 0};
  }
}
