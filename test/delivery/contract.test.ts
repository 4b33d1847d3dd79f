import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { parseContract, readContract } from '../../src/delivery/image-api/contract.ts';
import type { UploadImage, UploadPayload } from '../../src/delivery/image-api/payload.ts';

const IMAGE: UploadImage = {
  imageInstanceUid: '1.2',
  sopClassUid: '1.3',
  height: 1,
  width: 1,
  rescaleSlope: 1,
  rescaleIntercept: -1024,
  photometricInterpretation: 'MONOCHROME2',
  samplesPerPixel: 1,
  bitsAllocated: 8,
  bitsStored: 8,
  highBit: 7,
  data: 'AAAA',
};
const STUDY = { studyInstanceUid: '1.4', accessionNumber: 'A', patientId: 'P' };
const payload = (image: object = {}, study: object = {}): UploadPayload => ({
  study: { ...STUDY, ...study },
  series: { seriesInstanceUid: '1.5' },
  images: [{ ...IMAGE, ...image }],
});

/** The field table of the contract: what each field refuses, and what it takes. */
const TABLE: readonly [where: 'study' | 'image', field: string, bad: readonly unknown[], good: readonly unknown[]][] = [
  ['study', 'studyInstanceUid', [undefined, 1], ['1.2.3']],
  ['study', 'accessionNumber', [undefined, null], ['A']],
  ['study', 'patientId', [undefined, 7], ['P']],
  ['study', 'patientAge', ['006M', '45', 'Y', '4 5Y', 45], ['000Y', '090Y', '45Y']],
  ['image', 'imageInstanceUid', [undefined, 1], ['1']],
  ['image', 'sopClassUid', [undefined, 1], ['1']],
  ['image', 'height', [undefined, 0, 1.5, '1'], [1, 65_535]],
  ['image', 'width', [undefined, 0, 1.5, '1'], [1, 65_535]],
  ['image', 'rescaleSlope', [undefined, 0, 0.5, 1.25], [1, 2]],
  ['image', 'rescaleIntercept', [undefined, '0'], [-1024, 0.25]],
  [
    'image',
    'photometricInterpretation',
    [undefined, 'HSV', 'monochrome2'],
    ['PALETTE COLOR', 'YBR_RCT', 'MONOCHROME1'],
  ],
  ['image', 'samplesPerPixel', [undefined, 1.5], [1, 3]],
  ['image', 'bitsAllocated', [undefined, 7], [8, 16]],
  ['image', 'bitsStored', [undefined, 0], [1, 12]],
  ['image', 'highBit', [undefined, 0], [1, 11]],
  ['image', 'data', [undefined, 5], ['AAAA']],
];

for (const [where, field, bad, good] of TABLE) {
  test(`${where}.${field} is checked as the field table says`, () => {
    const contract = readContract();
    const check = (value: unknown) => {
      const changed = { [field]: value };
      return contract.check(where === 'study' ? payload({}, changed) : payload(changed), [4]);
    };
    for (const value of bad) assert.match(check(value) ?? 'accepted', new RegExp(field), `${field} refuses ${value}`);
    for (const value of good) assert.equal(check(value), undefined, `${field} takes ${value}`);
  });
}

test('findings never repeat a value', () => {
  const finding = readContract().check(payload({ photometricInterpretation: 'SECRET' }, { patientAge: 'SECRET' }), [4]);
  assert.ok(finding !== undefined && !finding.includes('SECRET'));
});

test('length limits of data hold for the whole text although only its head is shown', () => {
  const limited = document({ data: { type: 'string', minLength: 8, maxLength: 100 } });
  assert.equal(limited.check(payload(), [100]), undefined);
  assert.equal(limited.check(payload(), [101]), '/images/0/data length');
  assert.equal(limited.check(payload(), [4]), '/images/0/data length');
});

test('the largest number of images and the declared receipts are read from the document', () => {
  const contract = document({}, { maxItems: 5 });
  assert.equal(contract.imagesMax, 5);
  assert.deepEqual([...contract.receiptStatuses], [200, 202]);
});

test('nullable of OpenAPI 3.0 is understood', () => {
  const contract = document({ rescaleIntercept: { type: 'number', nullable: true } });
  assert.equal(contract.check(payload({ rescaleIntercept: null }), [4]), undefined);
  assert.equal(contract.check(payload({ rescaleIntercept: 'x' }), [4]), '/images/0/rescaleIntercept type');
});

const REFUSED: Readonly<Record<string, string>> = {
  'is not YAML': '{',
  'is no OpenAPI document': 'swagger: "2.0"',
  'has no upload operation': JSON.stringify({ openapi: '3.1.0', paths: {} }),
  'refers outside of itself': withSchema({ $ref: 'http://127.0.0.1/schema.json' }),
  'refers to nothing': withSchema({ $ref: '#/components/schemas/None' }),
  'refers to itself': withSchema({ $ref: '#/components/schemas/Loop' }),
  'has a pattern that is no regular expression': withSchema({ properties: { a: { type: 'string', pattern: '(' } } }),
};

for (const [what, text] of Object.entries(REFUSED)) {
  test(`a document that ${what} is refused`, () => {
    assert.throws(() => parseContract(text), { code: 'CONFIG_INVALID' });
  });
}

test('a document that cannot be read is refused', () => {
  assert.throws(() => readContract('/nowhere/contract.yaml'), { code: 'CONFIG_UNREADABLE' });
});

test('the generated types are those of the document', () => {
  execFileSync(process.execPath, ['scripts/gen-contract.ts', '--check'], { cwd: `${import.meta.dirname}/../..` });
});

function document(imageProperties: object, images: object = {}) {
  const items = { type: 'object', properties: imageProperties };
  return parseContract(withSchema({ properties: { images: { type: 'array', items, ...images } } }));
}

function withSchema(schema: object): string {
  const post = { requestBody: { content: { 'application/json': { schema } } }, responses: { 202: {}, 400: {} } };
  const components = { schemas: { Loop: { items: { $ref: '#/components/schemas/Loop' } } } };
  return JSON.stringify({ openapi: '3.0.3', paths: { '/v1/images/upload': { post } }, components });
}
