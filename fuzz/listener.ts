/**
 * Mutational fuzzing of the whole listener over real sockets: damaged conversations of real senders, cut anywhere, ended
 * by a close, a reset or silence. Deterministic as far as sockets are.
 *
 *   node fuzz/listener.ts [--seconds 10] [--seed 1]
 *
 * Whatever comes: nothing is thrown, every connection ends, no association stays, nothing is held for those that are gone,
 * what the handler was given is begun and then completed or given up exactly once, and an honest peer is answered its
 * C-ECHO at any time. A failure is saved and named; exit 1.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { globSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { silentLogger } from '../src/core/log.ts';
import { VERIFICATION } from '../src/dimse/negotiation.ts';
import { StorageScp } from '../src/dimse/storage-scp.ts';
import { StorageScu } from '../src/dimse/storage-scu.ts';

const CORPUS = globSync('corpus/pdu/*.bin', { cwd: import.meta.dirname })
  .toSorted()
  .map((file) => readFileSync(join(import.meta.dirname, file)));
const LANES = 16;
const ECHO_EVERY = 200;
const END_MS_MAX = 5000;
const IMPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2';

/** Mulberry32: small, and the same everywhere. */
function dice(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '10' }, seed: { type: 'string', default: '1' } },
});
const roll = dice(Number(values.seed));
const tally = { begun: 0, completed: 0, givenUp: 0, opened: 0, ended: 0 };

const scp = await StorageScp.listen(
  {
    host: '127.0.0.1',
    port: 0,
    aeTitles: [{ aeTitle: 'LETHE' }],
    peers: 'any',
    maxAssociations: 1000,
    maxAssociationsPerPeer: 1000,
    negotiation: {
      maxPduLengthBytes: 16384,
      unknownSopClasses: 'accept',
      unknownTransferSyntaxes: 'accept',
      preferredTransferSyntaxes: [],
      operationsPerformedMax: 8,
      furtherSopClasses: new Set(),
    },
    timers: { artimTimeoutMs: 100, idleTimeoutMs: 200, dimseTimeoutMs: 100, writeTimeoutMs: 200 },
  },
  {
    logger: silentLogger,
    handler: {
      admit: () => undefined,
      open: () => {
        tally.opened++;
        return { begin, end: () => void tally.ended++ };
      },
    },
  },
);

function begin() {
  tally.begun++;
  let open = true;
  const close = (what: 'completed' | 'givenUp') => {
    assert.ok(open, 'an instance ended twice');
    open = false;
    tally[what]++;
  };
  return {
    write: () => {
      assert.ok(open, 'bytes for an instance that had ended');
      return roll(8) > 0;
    },
    drained: async () => undefined,
    complete: async () => {
      close('completed');
      return { status: 0 };
    },
    abort: () => close('givenUp'),
  };
}

function conversation(): Buffer {
  const seed = CORPUS[roll(CORPUS.length)];
  assert.ok(seed !== undefined);
  let bytes = Buffer.from(seed);
  for (let edits = roll(4); edits > 0; edits--) {
    const at = roll(bytes.length);
    const kind = roll(4);
    if (kind === 0) bytes[at] = roll(256);
    else if (kind === 1) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + roll(64))]);
    else if (kind === 2)
      bytes = Buffer.concat([bytes.subarray(0, at), seed.subarray(roll(seed.length)), bytes.subarray(at)]);
    else bytes = bytes.subarray(0, at + 1);
  }
  return bytes;
}

async function talk(bytes: Buffer): Promise<void> {
  const socket = connect(scp.ports.plain, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.resume();
  const closed = once(socket, 'close');
  for (let at = 0; at < bytes.length && !socket.destroyed; ) {
    const length = 1 + roll(roll(3) === 0 ? 16 : 8192);
    socket.write(bytes.subarray(at, at + length));
    at += length;
    if (roll(4) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const end = roll(3);
  if (end === 0) socket.end();
  else if (end === 1) socket.resetAndDestroy();
  const late = setTimeout(() => socket.destroy(new Error('late')), END_MS_MAX);
  const stayed = await Promise.race([
    closed.then(() => false),
    new Promise((resolve) => setTimeout(() => resolve(true), END_MS_MAX)),
  ]);
  clearTimeout(late);
  assert.ok(stayed === false, 'the connection did not end');
}

async function honest(): Promise<void> {
  const scu = await StorageScu.connect({
    host: '127.0.0.1',
    port: scp.ports.plain,
    callingAeTitle: 'HONEST',
    calledAeTitle: 'LETHE',
    contexts: [{ abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_VR_LITTLE_ENDIAN] }],
  });
  assert.equal((await scu.echo()).status, 0);
  await scu.release();
}

let input: Buffer = Buffer.alloc(0);
let runs = 0;
function fail(error: unknown): never {
  const path = join(mkdtempSync(join(tmpdir(), 'lethe-fuzz-')), 'input.bin');
  writeFileSync(path, input);
  process.stderr.write(`run ${runs} of seed ${values.seed}: ${String(error)}\none of the last inputs is ${path}\n`);
  process.exit(1);
}
process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);

const endMs = performance.now() + Number(values.seconds) * 1000;
async function lane(): Promise<void> {
  while (performance.now() < endMs) {
    runs++;
    input = conversation();
    await talk(input);
    if (runs % ECHO_EVERY === 0) await honest();
  }
}

try {
  await Promise.all(Array.from({ length: LANES }, lane));
  await honest();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.equal(scp.associationCount, 0, 'associations that nobody has any more');
  assert.equal(tally.opened, tally.ended, 'associations that the handler was not told the end of');
  assert.equal(tally.begun, tally.completed + tally.givenUp, 'instances that were neither completed nor given up');
  await scp.close(0);
} catch (error) {
  fail(error);
}
process.stdout.write(
  `${runs} conversations, ${tally.completed} instances stored, ${tally.givenUp} given up, no failure\n`,
);
