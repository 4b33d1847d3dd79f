/** With a memory of the instances before, every output, result and error is what it is without; and nothing leaks over. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ByteSink, bytesSource, MemorySink, type Pieces } from '../../src/core/bytes.ts';
import { type DeidentifyOptions, deidentify } from '../../src/deid/deidentify.ts';
import { compileProfile } from '../../src/deid/profile.ts';
import { type BuildElement, buildPart10 } from '../build/data-set.ts';
import { instanceWith, KEY } from './support/instance.ts';
import { counted, memoryOf, outcome, PROFILE as profile, SITE_PROFILE, slice, sliceOf } from './support/slices.ts';

describe('siblings are de-identified as alone', () => {
  test('the slices of a series are siblings indeed', () => {
    const memory = memoryOf(profile);
    const reads = [1, 2, 3, 40].map((number) => {
      const { source, reads: count } = counted(slice(number));
      memory.read(source); // what it costs to read
      const readOnce = count();
      const alone = outcome(bytesSource(slice(number)), { profile, key: KEY });
      assert.deepEqual(outcome(bytesSource(slice(number)), { profile, key: KEY, memory }), alone);
      return readOnce;
    });
    assert.ok(Number(reads[0]) > 5, 'the first is read as a whole');
    for (const later of reads.slice(1)) assert.ok(later <= 2, `${later} reads`);
  });

  test('series that come in by turns are all remembered, and more than four are not', () => {
    const memory = memoryOf(profile);
    const readsOf = (number: number): number => {
      const { source, reads } = counted(slice(1, [0x0020000d, 'UI', `1.2.826.1.1.${number}`]));
      const read = memory.read(source);
      const count = reads();
      deidentify(source, new MemorySink(), { profile, key: KEY, memory, read });
      return count;
    };
    for (const number of [1, 2, 3, 4]) assert.ok(readsOf(number) > 8);
    for (const number of [4, 2, 1, 3]) assert.ok(readsOf(number) <= 8);
    for (const number of [5, 6, 7, 8]) readsOf(number);
    assert.ok(readsOf(1) > 8);
  });

  test('what decides beside the data set is not taken over: source, studies, what is known of the pixels', () => {
    const memory = memoryOf(SITE_PROFILE);
    const file = (number: number) => slice(number, [0x0018700a, 'SH', 'D7']);
    const replacements = { replace: new Map(), methodCodes: [] };
    const ways: Partial<DeidentifyOptions>[] = [
      {},
      { source: 'east' },
      { source: 'west' },
      { studiesKey: new Uint8Array(32).fill(1) },
      { studiesKey: new Uint8Array(32).fill(2) },
      { replacements },
      { replacements: { ...replacements, burnedIn: 'NO' } },
      { replacements: { ...replacements, methodCodes: ['113101'] } },
      { replacements: { ...replacements, transferSyntaxUid: '1.2.840.10008.1.2' } },
      { replacements: { ...replacements, replace: new Map([[0x00280010, { kind: 'remove' }]]) } },
      { replacements: { ...replacements, replace: new Map([[0x7fe00010, { kind: 'remove' }]]) } },
    ];
    let number = 0;
    for (const way of [...ways, ...ways.toReversed()]) {
      number++;
      const options = { profile: SITE_PROFILE, key: KEY, ...way };
      const alone = outcome(bytesSource(file(number)), options);
      assert.deepEqual(outcome(bytesSource(file(number)), { ...options, memory }), alone, JSON.stringify(way));
    }
  });

  test('what a first instance got for want of an identifier, a second that has one does not get', () => {
    const sopClass = '1.2.840.10008.5.1.4.1.1.2';
    const meta = (uid: string, classUid: string): BuildElement[] => [
      [0x00020002, 'UI', classUid],
      [0x00020003, 'UI', uid],
    ];
    const file = (dataSetClass: string, sopInstance: string, uid: string, classUid = sopClass): Uint8Array => {
      const elements = instanceWith([0x00080016, 'UI', dataSetClass], [0x00080018, 'UI', sopInstance]);
      return buildPart10(elements, { meta: meta(uid, classUid) });
    };
    const files = [
      file(sopClass, '', '1.2.826.1.3.1'),
      file(sopClass, '1.2.826.1.3.2', '1.2.826.1.3.2'),
      file(sopClass, '', '1.2.826.1.3.3'),
      file('', '1.2.826.1.3.4', '1.2.826.1.3.4'),
      file('', '1.2.826.1.3.5', '1.2.826.1.3.5', '1.2.840.10008.5.1.4.1.1.4'),
    ];
    for (const order of [files, files.toReversed()]) {
      const memory = memoryOf(profile);
      for (const bytes of order) {
        const alone = outcome(bytesSource(bytes), { profile, key: KEY });
        assert.deepEqual(outcome(bytesSource(bytes), { profile, key: KEY, memory }), alone);
      }
    }
  });

  test('one that could not be written as a sibling is learned from rightly, although other lengths moved it', () => {
    const memory = memoryOf(profile);
    const dates = ['20230412101119.25', '20230413000001', '20230414101119.25', '20230415', '20230416000001'];
    for (const date of [...dates, ...dates]) {
      const bytes = slice(1, [0x0008002a, 'DT', date]); // nothing else differs
      const alone = outcome(bytesSource(bytes), { profile, key: KEY });
      assert.deepEqual(outcome(bytesSource(bytes), { profile, key: KEY, memory }), alone, date);
    }
  });

  test('a UID in the place of a class is mapped in the slice whose own it is', () => {
    const memory = memoryOf(profile);
    const referring = [0x00081140, [[[0x00081150, 'UI', '1.2.826.1.3.2']]]] as unknown as BuildElement;
    for (const number of [1, 2, 3, 2, 1]) {
      const bytes = slice(number, referring);
      const alone = outcome(bytesSource(bytes), { profile, key: KEY });
      assert.deepEqual(outcome(bytesSource(bytes), { profile, key: KEY, memory }), alone, String(number));
    }
  });

  test('pixels that a sink leaves for later are those of each instance', () => {
    const memory = memoryOf(profile);
    for (const number of [1, 2, 3, 4]) {
      const bytes = sliceOf(300_000 + 2 * number, number);
      const parts: (Uint8Array | Pieces)[] = [];
      const sink: ByteSink = {
        write: (piece) => parts.push(new Uint8Array(piece)),
        later: (_length, pieces) => parts.push(pieces),
      };
      deidentify(bytesSource(bytes), sink, { profile, key: KEY, memory, digest: false });
      assert.equal(parts.filter((part) => typeof part === 'function').length, 1);
      const whole = new MemorySink();
      for (const part of parts) for (const piece of typeof part === 'function' ? part() : [part]) whole.write(piece);
      const alone = new MemorySink();
      deidentify(bytesSource(bytes), alone, { profile, key: KEY });
      assert.deepEqual(whole.bytes(), alone.bytes());
    }
  });

  test('after forget() nothing is known', () => {
    const memory = memoryOf(profile);
    for (const number of [1, 2]) outcome(bytesSource(slice(number)), { profile, key: KEY, memory });
    const read = memory.read(bytesSource(slice(3)));
    memory.forget();
    const { source, reads } = counted(slice(4));
    memory.read(source);
    assert.ok(reads() > 5);
    const sink = new MemorySink();
    deidentify(bytesSource(slice(3)), sink, { profile, key: KEY, memory, read });
    const alone = new MemorySink();
    deidentify(bytesSource(slice(3)), alone, { profile, key: KEY });
    assert.deepEqual(sink.bytes(), alone.bytes());
  });
});

describe('nothing is shared', () => {
  test('a memory serves one profile and one key', () => {
    const memory = memoryOf(profile);
    outcome(bytesSource(slice(1)), { profile, key: KEY, memory });
    const others: Partial<DeidentifyOptions>[] = [
      { profile: compileProfile('basic') },
      { profile: { ...profile } }, // its rules might be others': it is known by itself
      { key: { bytes: new Uint8Array(32).fill(4), generation: 1 } },
      { key: { ...KEY, generation: 2 } },
    ];
    for (const other of others) {
      assert.throws(
        () => deidentify(bytesSource(slice(2)), new MemorySink(), { profile, key: KEY, memory, ...other }),
        {
          code: 'INVARIANT',
        },
      );
    }
  });

  test('two memories of two keys, fed by turns, give what each gives alone', () => {
    const keys = [KEY, { bytes: new Uint8Array(32).fill(9), generation: 1 }, { ...KEY, generation: 2 }];
    const memories = keys.map((key) => memoryOf(profile, key));
    for (const number of [1, 2, 3]) {
      const outputs = keys.map((key, at) => {
        const memory = memories[at];
        assert.ok(memory !== undefined);
        const made = outcome(bytesSource(slice(number)), { profile, key, memory });
        assert.deepEqual(made, outcome(bytesSource(slice(number)), { profile, key }));
        return JSON.stringify((made as { result: { pseudonyms: unknown } }).result.pseudonyms);
      });
      assert.equal(new Set(outputs).size, keys.length);
    }
  });

  test('another memory, or none, takes what one has read', () => {
    const [one, other] = [memoryOf(profile), memoryOf(profile)];
    for (const number of [1, 2]) outcome(bytesSource(slice(number)), { profile, key: KEY, memory: one });
    const alone = outcome(bytesSource(slice(3)), { profile, key: KEY });
    for (const memory of [other, one]) {
      const read = one.read(bytesSource(slice(3)));
      assert.deepEqual(outcome(bytesSource(slice(3)), { profile, key: KEY, read, memory }), alone);
    }
    const read = one.read(bytesSource(slice(3)));
    assert.deepEqual(outcome(bytesSource(slice(3)), { profile, key: KEY, read }), alone);
  });
});
