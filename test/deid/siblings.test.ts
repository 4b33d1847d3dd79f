/** With a memory of the instances before, every output, result and error is what it is without; and nothing leaks over. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type ByteSink, type ByteSource, bytesSource, MemorySink, type Pieces } from '../../src/core/bytes.ts';
import { LetheError } from '../../src/core/errors.ts';
import { type DeidentifyOptions, deidentify } from '../../src/deid/deidentify.ts';
import { leakCheck } from '../../src/deid/leak-check.ts';
import { compileProfile } from '../../src/deid/profile.ts';
import { SiblingMemory } from '../../src/deid/siblings.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import { type BuildElement, buildPart10, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE } from '../build/data-set.ts';
import { sharedPath, skipWithout } from '../support/shared.ts';
import { instanceWith, KEY } from './support/instance.ts';

const SITE = `
name: site
base: ps3.15
options: [retainLongitudinalModifiedDates, cleanDescriptors, retainSafePrivate]
issuer: distinguish
faces: flag
rules:
  - element: StationName
    action: pseudonym
    when: [{ element: InstanceNumber, equals: ['7'] }]
  - element: ProtocolName
    action: keep
    when: [{ element: SOPInstanceUID, matches: '3$' }]
  - element: DetectorID
    action: replace
    value: D
    source: east
`;
const PROFILES = ['default', 'basic', 'research', 'seed', SITE].map((text) => compileProfile(text));

type Choice = readonly [tag: number, vr: string, values: readonly unknown[]];

/** Attributes that decide about others, that identify, that differ in a series, and that do nothing of the kind. */
const CHOICES: readonly Choice[] = [
  [0x00080005, 'CS', ['ISO_IR 100', 'ISO_IR 192', 'ISO_IR 999']],
  [0x00080008, 'CS', ['ORIGINAL\\PRIMARY\\AXIAL', 'ORIGINAL\\PRIMARY\\LOCALIZER']],
  [0x00080016, 'UI', ['1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.5.1.4.1.1.4', '']],
  [0x00080018, 'UI', ['1.2.826.1.3', '1.2.826.1.33', '1.2.826.1.4', '']],
  [0x00080020, 'DA', ['20230412', '20230413']],
  [0x0008002a, 'DT', ['20230412101112.5', '20230412101119.25', '20230413000001', 'soon']],
  [0x00080032, 'TM', ['101112', '101119.25']],
  [0x00080050, 'SH', ['ACC06129773', 'ACC7', '']],
  [0x00080060, 'CS', ['CT', 'MR']],
  [0x00080080, 'LO', ['Larkspurdale Memorial', '']],
  [0x00081010, 'SH', ['STNMURQUIN', 'CT1']],
  [0x00081030, 'LO', ['CT CHEST for Quillfeather', 'HEAD for Zyxwquandril', 'CT 1.2.826.1.33']],
  [0x0008103e, 'LO', ['AX 5mm', 'Larkspurdale 12.04.2023']],
  [0x00081090, 'LO', ['Model 7', 'M\xfcller 3']],
  [
    0x00081140,
    'SQ',
    [
      [
        [
          [0x00081150, 'UI', '1.2.840.10008.5.1.4.1.1.2'],
          [0x00081155, 'UI', '1.2.826.1.3'],
        ],
      ],
      [
        [
          [0x00081150, 'UI', '1.2.826.1.33'],
          [0x00081155, 'UI', '1.2.826.1.9'],
        ],
      ],
      [],
    ],
  ],
  [0x00100010, 'PN', ['Quillfeather^Marisol', 'Zyxwquandril^A']],
  [0x00100020, 'LO', ['HX-4045202', 'HX-4045203', '']],
  [0x00100021, 'LO', ['east', 'west']],
  [0x00100030, 'DA', ['19610314', '19610315']],
  [0x00101010, 'AS', ['062Y', '093Y']],
  [0x00104000, 'LT', ['call Marisol', 'seen on 12.04.2023, 1.2.826.1.4', 'nothing']],
  [0x00120062, 'CS', ['NO', '']],
  [0x00180015, 'CS', ['HEAD', 'CHEST']],
  [0x00180050, 'DS', ['1', '9']],
  [0x00181030, 'LO', ['Routine', 'Quillfeather']],
  [0x0018700a, 'SH', ['D1', 'D2']],
  [0x0020000d, 'UI', ['1.2.826.1.1', '1.2.826.1.11', '']],
  [0x0020000e, 'UI', ['1.2.826.1.2', '']],
  [0x00200013, 'IS', ['7', '8', '4045202']],
  [0x00200032, 'DS', ['-1.5\\2\\3', '-1.5\\2\\12.75', '']],
  [0x00204000, 'LT', ['reviewed', 'reviewed by Quillfeather']],
  [0x00280010, 'US', [2, 3]],
  [0x00280011, 'US', [2]],
  [0x00280100, 'US', [16]],
  [0x00280103, 'US', [0, 1]],
  [0x00280106, 'US', [1, 2]],
  [0x00290010, 'LO', ['WEX 1.0', 'OTHER 1.0']],
  [0x00291001, 'LO', ['gain 7', 'Quillfeather']],
  [
    0x00400275,
    'SQ',
    [
      [
        [
          [0x00400007, 'LO', 'CT for Yorvikpez'],
          [0x00401001, 'SH', 'RP237493'],
        ],
      ],
      [
        [
          [0x00400007, 'LO', 'CT'],
          [0x00100010, 'PN', 'Inside^One'],
        ],
      ],
    ],
  ],
  [
    0x0040a730,
    'SQ',
    [
      [
        [
          [0x0040a040, 'CS', 'TEXT'],
          [0x0040a160, 'UT', 'lungs clear'],
        ],
      ],
      [
        [
          [0x0040a040, 'CS', 'TEXT'],
          [0x0040a160, 'UT', 'Quillfeather has 1.2.826.1.33'],
        ],
      ],
    ],
  ],
  [0x00420011, 'OB', [new Uint8Array(0), new Uint8Array([37, 80])]],
  [0x7fe00010, 'OW', [new Uint8Array(8), new Uint8Array(8).fill(3), new Uint8Array(12)]],
];
const SAFE: BuildElement = [
  0x00080300,
  [
    [
      [0x00080301, 'US', 0x29],
      [0x00080302, 'LO', 'WEX 1.0'],
      [0x00080303, 'CS', 'SAFE'],
    ],
  ],
];

/** Which value each attribute has: that of the series, but for a few; and those that one instance goes without. */
interface Series {
  readonly present: readonly number[];
  readonly base: readonly number[];
  readonly isSafe: boolean;
  readonly instances: readonly {
    readonly other: readonly (readonly [number, number])[];
    readonly without: number | undefined;
  }[];
}

const place = fc.nat(CHOICES.length - 1);
/** Mostly what differs in a series: the instance, its times, numbers and positions, pixels. */
const varying = fc.constantFrom(
  ...[0x00080018, 0x0008002a, 0x00080032, 0x00200013, 0x00200032, 0x00081140, 0x00400275, 0x7fe00010].map((tag) =>
    CHOICES.findIndex(([one]) => one === tag),
  ),
);
const series: fc.Arbitrary<Series> = fc.record({
  present: fc.subarray([...CHOICES.keys()], { minLength: CHOICES.length - 12 }),
  base: fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(3) }), {
    minLength: CHOICES.length,
    maxLength: CHOICES.length,
  }),
  isSafe: fc.boolean(),
  instances: fc.array(
    fc.record({
      other: fc.array(
        fc.tuple(fc.oneof({ weight: 8, arbitrary: varying }, { weight: 1, arbitrary: place }), fc.nat(3)),
        { maxLength: 5 },
      ),
      without: fc.option(place, { freq: 12, nil: undefined }),
    }),
    { minLength: 2, maxLength: 6 },
  ),
});

function filesOf({ present, base, isSafe, instances }: Series, transferSyntax: string): Uint8Array[] {
  return instances.map(({ other, without }) => {
    const values = new Map(other);
    const elements = present
      .filter((at) => at !== without)
      .map((at): BuildElement => {
        const [tag, vr, all] = CHOICES[at] as Choice;
        return [tag, vr, all[(values.get(at) ?? base[at] ?? 0) % all.length]] as BuildElement;
      });
    const sorted = [...elements, ...(isSafe ? [SAFE] : [])].sort((a, b) => Number(a[0]) - Number(b[0]));
    return buildPart10(sorted, { transferSyntax });
  });
}

/** All that anybody sees of one instance. */
function outcome(source: ByteSource, options: DeidentifyOptions): unknown {
  const sink = new MemorySink();
  try {
    const result = deidentify(source, sink, options);
    const bytes = sink.bytes();
    return { result, bytes, leaks: leakCheck(bytesSource(bytes), result.identity, options.memory?.outputs) };
  } catch (error) {
    if (!(error instanceof LetheError)) throw error;
    return { code: error.code, detail: error.detail };
  }
}

function memoryOf(profile = PROFILES[0] ?? compileProfile('default'), key = KEY): SiblingMemory {
  return new SiblingMemory({ profile, key });
}

/** How often a source was asked: of a sibling once, unless it has other sequences. */
function counted(bytes: Uint8Array): { source: ByteSource; reads: () => number } {
  let count = 0;
  const { size, read } = bytesSource(bytes);
  return {
    source: {
      size,
      read: (...of) => {
        count++;
        return read(...of);
      },
    },
    reads: () => count,
  };
}

/** Reading a header whole asks for it in more pieces. */
const SIBLING_READS = 6;
const CORPUS_BYTES_MAX = 4 * 1024 * 1024;

function filesIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => filesIn(join(path, name)));
}

/** The same file with another SOP Instance UID of the same length; undefined where it has none to change. */
function withOtherUid(bytes: Uint8Array): Uint8Array | undefined {
  try {
    const { dataSet, source } = readPart10(bytesSource(bytes));
    const uid = dataSet.element(0x00080018);
    const at = (uid?.offset ?? 0) + (dataSet.string(0x00080018)?.length ?? 0) - 1;
    if (uid === undefined || at < uid.offset || source.size !== bytes.length) return undefined;
    const other = new Uint8Array(bytes);
    other[at] = bytes[at] === 0x37 ? 0x38 : 0x37; // 7, 8
    return other;
  } catch {
    return undefined; // broken: there is no sibling of it
  }
}

const profile = compileProfile('default');
const slice = (number: number, ...more: BuildElement[]): Uint8Array => sliceOf(600, number, ...more);
const sliceOf = (pixelBytes: number, number: number, ...more: BuildElement[]): Uint8Array =>
  buildPart10(
    instanceWith(
      [0x00080018, 'UI', `1.2.826.1.3.${number}`],
      [0x00200013, 'IS', String(number)],
      ...(more as unknown as [number, ...unknown[]][]),
      [0x7fe00010, 'OW', new Uint8Array(pixelBytes).fill(number)],
    ),
  );

describe('siblings are de-identified as alone', () => {
  for (const [index, one] of PROFILES.entries()) {
    test(`generated series, profile ${one.name}`, () => {
      fc.assert(
        fc.property(
          series,
          series,
          fc.constantFrom(EXPLICIT_LITTLE, EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG),
          fc.constantFrom(undefined, 'east'),
          (first, second, transferSyntax, source) => {
            const memory = memoryOf(PROFILES[index]);
            const options = { profile: one, key: KEY, ...(source === undefined ? {} : { source }) };
            const a = filesOf(first, transferSyntax);
            const b = filesOf(second, transferSyntax);
            for (const bytes of [...a.flatMap((file, at) => [file, ...(b[at] === undefined ? [] : [b[at]])]), ...a]) {
              const alone = outcome(bytesSource(bytes), options);
              assert.deepEqual(outcome(bytesSource(bytes), { ...options, memory }), alone);
            }
          },
        ),
        { numRuns: process.env['LETHE_LONG'] === undefined ? 120 : 5000 },
      );
    });
  }

  test('every corpus file and a sibling of it', { skip: skipWithout('corpus') }, () => {
    const memory = memoryOf(profile);
    let siblings = 0;
    for (const path of filesIn(sharedPath('corpus', 'files'))) {
      if (statSync(path).size > CORPUS_BYTES_MAX) continue;
      const bytes = readFileSync(path);
      const other = withOtherUid(bytes);
      for (const one of [bytes, ...(other === undefined ? [] : [other])]) {
        const { source, reads } = counted(one);
        const made = outcome(source, { profile, key: KEY, memory });
        if (one === other && reads() <= SIBLING_READS) siblings++;
        assert.deepEqual(made, outcome(bytesSource(one), { profile, key: KEY }), path);
      }
    }
    assert.ok(siblings > 100, `${siblings} siblings`);
  });

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
    const memory = memoryOf(PROFILES[4]);
    const site = PROFILES[4] ?? profile;
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
      const options = { profile: site, key: KEY, ...way };
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
      { profile: compileProfile('default') }, // its rules might be others': it is known by itself
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
