/**
 * Mutational fuzzing of the PDU reader, the message assembler and the command set. Deterministic: the same seed tries the
 * same inputs.
 *
 *   node fuzz/pdu.ts [--seconds 10] [--seed 1] [--runs N]
 *
 * Seeds are PDUs built from the Standard and what real senders wrote (`fuzz/corpus/pdu`). Command sets are also damaged by
 * themselves, or most damage would end in the PDU around them.
 *
 * For each input: reading ends in tokens or in a typed DIMSE error; the tokens do not depend on how the bytes were split;
 * no slice is longer than what was pushed; a control PDU that was read and written again reads the same; no input takes
 * long. A failure is saved and named; exit 1.
 */
import assert from 'node:assert/strict';
import { globSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LetheError } from '../src/core/errors.ts';
import { parseCommand, writeCommand } from '../src/dimse/command.ts';
import { MessageAssembler } from '../src/dimse/message-assembler.ts';
import type { PduToken } from '../src/dimse/pdu.ts';
import { PduReader } from '../src/dimse/pdu-reader.ts';
import { writePdu } from '../src/dimse/pdu-writer.ts';
import {
  abortPdu,
  ascii,
  associateAc,
  associateRj,
  associateRq,
  CT_IMAGE_STORAGE,
  commandSet,
  counted,
  EXPLICIT_LITTLE,
  echoRq,
  item,
  normal,
  pData,
  releaseRp,
  releaseRq,
  storeRq,
  u8,
  u16,
} from '../test/build/pdu.ts';

const MAX_PDU = 16384;
const INPUT_MS_MAX = 1000;
const INTERESTING = [0, 1, 2, 4, 6, 0x10, 0x20, 0x21, 0x30, 0x40, 0x50, 0x58, 0x7f, 0x80, 0xff];

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

const CORPUS = globSync('corpus/pdu/*.bin', { cwd: import.meta.dirname }).toSorted();

const COMMANDS: readonly Buffer[] = [
  echoRq(1),
  storeRq({
    messageId: 7,
    sopInstanceUid: '1.2.3',
    further: [
      [0x1030, 'AE', 'MOVER'],
      [0x1031, 'US', 9],
    ],
  }),
  commandSet([
    [0x0003, 'UI', '1.2.840.10008.1.20.1'],
    [0x0100, 'US', 0x0130],
    [0x0110, 'US', 3],
    [0x0800, 'US', 1],
    [0x1001, 'UI', '1.2.840.10008.1.20.1.1'],
    [0x1008, 'US', 1],
  ]),
  commandSet([
    [0x0100, 'US', 0x8001],
    [0x0120, 'US', 3],
    [0x0800, 'US', 0x0101],
    [0x0900, 'US', 0xa900],
    [0x0901, 'AT', 0x00080018],
    [0x0902, 'LO', 'because'],
  ]),
];

const SEEDS: readonly Buffer[] = [
  ...CORPUS.map((file) => readFileSync(join(import.meta.dirname, file))),
  associateRq({ contexts: [[1, CT_IMAGE_STORAGE, [EXPLICIT_LITTLE, '1.2']]] }),
  associateRq({
    user: [
      item(0x53, u16(0), u16(1)),
      item(0x54, counted(ascii('1.2.3')), u8(1, 0)),
      item(0x56, counted(ascii('1.2.3')), u8(2, 0, 0, 0, 0, 0)),
      item(0x57, counted(ascii('1.3')), counted(ascii('1.4')), counted(counted(ascii('1.2.9')))),
      item(0x58, u8(2, 1), counted(ascii('joe')), counted(ascii('secret'))),
    ],
  }),
  associateAc([[1, 0, EXPLICIT_LITTLE]]),
  Buffer.concat([associateRj(1, 1, 7), releaseRq(), releaseRp(), abortPdu(2, 6)]),
  pData([
    { id: 1, command: true, last: true, data: storeRq({ messageId: 1, sopInstanceUid: '1.2.3' }) },
    { id: 1, command: false, last: false, data: ascii('some data') },
    { id: 1, command: false, last: true, data: ascii('rest') },
  ]),
  pData([{ id: 3, command: true, last: true, data: echoRq(2) }]),
];

function mutated(roll: (limit: number) => number, seeds: readonly Buffer[], count: number): Buffer {
  const pick = <T>(list: readonly T[]): T => {
    const chosen = list[roll(list.length)];
    assert.ok(chosen !== undefined);
    return chosen;
  };
  let bytes = Buffer.concat(Array.from({ length: 1 + roll(count) }, () => pick(seeds)));
  for (let edits = roll(5); edits >= 0; edits--) {
    const at = roll(bytes.length);
    const kind = roll(4);
    if (kind === 0) bytes[at] = pick(INTERESTING);
    else if (kind === 1) bytes[at] = roll(256);
    else if (kind === 2) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + roll(8))]);
    else
      bytes = Buffer.concat([
        bytes.subarray(0, at),
        bytes.subarray(roll(bytes.length)).subarray(0, 16),
        bytes.subarray(at),
      ]);
    if (bytes.length === 0) bytes = Buffer.from([0]);
  }
  return bytes;
}

/** Tokens with the slices of each PDV joined, and the code of the error that ended them. */
function outcome(chunks: readonly Uint8Array[]): { tokens: PduToken[]; error: string | undefined } {
  const reader = new PduReader({ maxPduLengthBytes: MAX_PDU });
  const tokens: PduToken[] = [];
  const messages = new MessageAssembler({ onCommand: reparsed, onData: () => undefined, onDataEnd: () => undefined });
  try {
    for (const chunk of chunks) {
      reader.push(chunk);
      for (let token = reader.next(); token !== undefined; token = reader.next()) {
        if (token.type === 'pdv') messages.push(token);
        collect(tokens, token);
      }
    }
    return { tokens, error: undefined };
  } catch (error) {
    assert.ok(error instanceof LetheError && error.code.startsWith('DIMSE_'), String(error));
    return { tokens, error: error.code };
  }
}

function collect(tokens: PduToken[], token: PduToken): void {
  const last = tokens.at(-1);
  if (token.type !== 'pdv') tokens.push(normal(token));
  else if (last?.type === 'pdv' && !last.end)
    tokens[tokens.length - 1] = { ...token, bytes: Buffer.concat([last.bytes, token.bytes]) };
  else tokens.push({ ...token, bytes: Buffer.from(token.bytes) });
}

function reparsed(command: ReturnType<typeof parseCommand>): void {
  const again = parseCommand(writeCommand(command));
  assert.equal(again.commandField, command.commandField);
  assert.equal(again.messageId, command.messageId);
}

/** A damaged command set alone, as the data of a PDV that is whole. */
function checkCommand(bytes: Buffer): void {
  try {
    reparsed(parseCommand(bytes));
  } catch (error) {
    assert.ok(error instanceof LetheError && error.code === 'DIMSE_COMMAND_MALFORMED', String(error));
  }
}

function check(input: Buffer, cut: number): void {
  const whole = outcome([input]);
  const split = outcome([input.subarray(0, cut), input.subarray(cut)]);
  assert.equal(split.error, whole.error);
  // A PDV that was not whole when the bytes ended, or the error came, may have brought more or less of itself.
  const complete = whole.tokens.filter((token) => token.type !== 'pdv' || token.end);
  assert.deepEqual(
    split.tokens.filter((token) => token.type !== 'pdv' || token.end),
    complete,
  );
  for (const token of whole.tokens) {
    if (token.type === 'pdv' || token.type === 'P-DATA-TF') continue;
    const reader = new PduReader({ maxPduLengthBytes: MAX_PDU });
    reader.push(writePdu(token));
    assert.equal(reader.next()?.type, token.type);
  }
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    runs: { type: 'string' },
  },
});
const roll = dice(Number(values.seed));
const endMs = performance.now() + Number(values.seconds) * 1000;
const runsMax = values.runs === undefined ? Number.POSITIVE_INFINITY : Number(values.runs);
let runs = 0;
for (; runs < runsMax && performance.now() < endMs; runs++) {
  const alone = roll(4) === 0;
  const input = alone ? mutated(roll, COMMANDS, 1) : mutated(roll, SEEDS, 3);
  const startMs = performance.now();
  try {
    if (alone) checkCommand(input);
    else check(input, roll(input.length + 1));
    assert.ok(performance.now() - startMs < INPUT_MS_MAX, 'the input took long');
  } catch (error) {
    const path = join(mkdtempSync(join(tmpdir(), 'lethe-fuzz-')), 'input.bin');
    writeFileSync(path, input);
    process.stderr.write(`run ${runs} of seed ${values.seed}: ${(error as Error).message}\nsaved as ${path}\n`);
    process.exit(1);
  }
}
process.stdout.write(`${runs} inputs, no failure\n`);
