/** The leak check that remembers what it found clean: it finds in the next output what it would find without. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesSource, MemorySink } from '../../src/core/bytes.ts';
import { deidentify } from '../../src/deid/deidentify.ts';
import { leakCheck } from '../../src/deid/leak-check.ts';
import { type BuildElement, buildPart10 } from '../build/data-set.ts';
import { instanceWith, KEY } from './support/instance.ts';
import { memoryOf, PROFILE as profile, slice } from './support/slices.ts';

describe('the leak check with what was found clean before', () => {
  const clean = (number: number, ...more: BuildElement[]): Uint8Array =>
    slice(
      number,
      [0x00100010, 'PN', 'M63SZ3D3R27FE38P'],
      [0x00100020, 'LO', 'M63SZ3D3R27FE38P'],
      [0x00100030, 'DA', ''],
      [0x00081030, 'LO', 'CT CHEST'],
      [0x00080050, 'SH', 'A'],
      [0x00104000, 'LT', 'calm; of 2.25.7777.1.5'],
      ...more,
    );

  /** Of a first file that is clean, then of others under the identity of the same patient. */
  function afterClean(...others: readonly (readonly [output: Uint8Array, uids?: readonly string[]])[]): unknown[] {
    const memory = memoryOf(profile);
    const { identity } = deidentify(bytesSource(slice(1)), new MemorySink(), { profile, key: KEY });
    const known = { ...identity, uids: new Set(['1.2.826.9.9']) };
    assert.deepEqual(leakCheck(bytesSource(clean(1)), known, memory.outputs), []);
    return others.map(([output, uids = []]) => {
      const mine = { ...known, uids: new Set([...known.uids, ...uids]) };
      const leaks = leakCheck(bytesSource(output), mine, memory.outputs);
      assert.deepEqual(leaks, leakCheck(bytesSource(output), mine), 'as without');
      return leaks;
    });
  }

  test('a name planted in the second file, where the first was clean, is found', () => {
    const planted: BuildElement[] = [
      [0x00081030, 'LO', 'for QUILLFEATHER'],
      [0x00104000, 'LT', 'Marisol, of 2.25.7777.1.5'],
      [0x00100020, 'LO', 'HX-4045202'],
      [0x00200013, 'IS', '1'],
    ];
    assert.deepEqual(afterClean(...planted.map((one) => [clean(2, one)] as const), [clean(3)]), [
      [{ path: '(0008,1030)' }],
      [{ path: '(0010,4000)' }],
      [{ path: '(0010,0020)' }],
      [],
      [],
    ]);
  });

  test('in file meta information, the preamble, a new element, a new sequence and behind the data set', () => {
    const options = { preamble: new Uint8Array(128) };
    options.preamble.set(Buffer.from('Quillfeather'), 3);
    const parts = (more: BuildElement[]) =>
      instanceWith([0x7fe00010, 'OW', new Uint8Array(600)], ...(more as unknown as [number][]));
    const strict = (...more: BuildElement[]): BuildElement[] =>
      parts([
        [0x00080018, 'UI', '2.25.1'],
        [0x00080050, 'SH', 'A'],
        [0x00081030, 'LO', 'CT'],
        [0x00100010, 'PN', 'A'],
        [0x00100020, 'LO', 'A'],
        [0x00100030, 'DA', ''],
        ...more,
      ]);
    const found = afterClean(
      [buildPart10(strict(), options)],
      [buildPart10(strict(), { meta: [[0x00020016, 'AE', 'QUILLFEATHER']] })],
      [clean(2, [0x00321060, 'LO', 'Quillfeather'])],
      [clean(2, [0x00400275, [[[0x00400007, 'LO', 'for Marisol']]]])],
    );
    assert.deepEqual(found, [
      [{ path: 'preamble' }],
      [{ path: '(0002,0016)' }],
      [{ path: '(0032,1060)' }],
      [{ path: '(0040,0275)[0].(0040,0007)' }],
    ]);
  });

  test('a UID of the second instance in what is the same in both is found', () => {
    assert.deepEqual(
      afterClean([clean(2), ['2.25.7777.1.5']], [clean(2), ['1.2.826.1.2']], [clean(2), ['1.2.826.1.777']]),
      [[{ path: '(0010,4000)' }], [{ path: '(0020,000E)' }], []],
    );
  });

  test('what is clean for one patient is searched again for another', () => {
    const memory = memoryOf(profile);
    const { identity } = deidentify(bytesSource(slice(1)), new MemorySink(), { profile, key: KEY });
    const uids = new Set<string>();
    const nobody = { words: new Set<string>(), phrases: new Map(), dates: new Set<string>(), uids };
    const parts = { ...nobody, words: identity.words };
    assert.deepEqual(leakCheck(bytesSource(slice(1)), nobody, memory.outputs), []);
    for (const known of [{ ...identity, uids }, parts]) {
      const leaks = leakCheck(bytesSource(slice(2)), known, memory.outputs);
      assert.ok(leaks.length > 0);
      assert.deepEqual(leaks, leakCheck(bytesSource(slice(2)), known));
    }
  });
});
