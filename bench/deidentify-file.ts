/** One process, one file: de-identifies IN to OUT with verification, as `lethe deid` does. node bench/deidentify-file.ts IN OUT */
import { closeSync, fstatSync, openSync, readSync, renameSync, writeSync } from 'node:fs';
import type { ByteSink, ByteSource } from '../src/core/bytes.ts';
import { deidentify } from '../src/deid/deidentify.ts';
import { leakCheck } from '../src/deid/leak-check.ts';
import { compileProfile } from '../src/deid/profile.ts';

const BUFFER_BYTES = 1024 * 1024;

function fileSource(path: string): ByteSource {
  const file = openSync(path, 'r');
  let buffer = Buffer.alloc(64 * 1024);
  return {
    size: fstatSync(file).size,
    read(position, length) {
      if (length > buffer.length) buffer = Buffer.allocUnsafe(length);
      return buffer.subarray(0, readSync(file, buffer, 0, length, position));
    },
  };
}

/** Small writes are gathered, large ones go through. */
function fileSink(file: number): ByteSink & { end(): void } {
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  let used = 0;
  const flush = (): void => {
    writeSync(file, buffer, 0, used);
    used = 0;
  };
  return {
    write(bytes) {
      if (used + bytes.length > BUFFER_BYTES) flush();
      if (bytes.length >= BUFFER_BYTES) writeSync(file, bytes);
      else {
        buffer.set(bytes, used);
        used += bytes.length;
      }
    },
    end: flush,
  };
}

const [input, output] = process.argv.slice(2);
if (input === undefined || output === undefined) throw new Error('node bench/deidentify-file.ts IN OUT');
const file = openSync(`${output}.part`, 'w');
const sink = fileSink(file);
const key = { bytes: new Uint8Array(32).fill(1), generation: 1 };
const { identity } = deidentify(fileSource(input), sink, { profile: compileProfile('default'), key });
sink.end();
closeSync(file);
if (leakCheck(fileSource(`${output}.part`), identity).length > 0) throw new Error('leak');
renameSync(`${output}.part`, output);
if (process.env['BENCH_RSS'] !== undefined) {
  process.stdout.write(`${Math.round(process.resourceUsage().maxRSS / 1024)}\n`);
}
