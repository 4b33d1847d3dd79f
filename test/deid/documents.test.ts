/** Encapsulated documents: held, or replaced by an empty one of their kind. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { latin1 } from '../build/data-set.ts';
import { skipWithoutProgram } from '../support/peers.ts';
import { deidentified, instanceWith } from './support/instance.ts';

const folder = mkdtempSync(join(tmpdir(), 'lethe-documents-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const PDF_STORAGE = '1.2.840.10008.5.1.4.1.1.104.1';
const DOCUMENT = 0x00420011;
const REMOVING = 'name: x\nbase: ps3.15\ndocuments: remove\n';
const withDocument = (type: string, bytes: Uint8Array) =>
  instanceWith(
    [0x00080016, 'UI', PDF_STORAGE],
    [0x00280301, 'CS', 'NO'],
    [0x00420010, 'ST', 'Report'],
    [DOCUMENT, 'OB', bytes],
    [0x00420012, 'LO', type],
    [0x00420015, 'UL', [bytes.length]],
  );
const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('latin1');

describe('encapsulated documents', () => {
  test('hold the instance unless the profile removes them', () => {
    const elements = withDocument('application/pdf', latin1('%PDF of Marisol!'));
    for (const profile of ['basic', 'default'])
      assert.throws(() => deidentified(elements, profile), { code: 'DEID_UNSUPPORTED_CONTENT' });
    assert.ok(deidentified(elements, REMOVING).dataSet.has(DOCUMENT));
  });

  const kinds: readonly (readonly [type: string, begins: string])[] = [
    ['application/pdf', '%PDF-1.4\n'],
    ['text/XML', '<?xml '],
    ['model/obj', '# removed'],
    ['model/mtl', '# removed'],
    ['model/stl', '\0'.repeat(84)],
    ['application/x-unheard-of', '\0\0'],
  ];
  for (const [type, begins] of kinds) {
    test(`of the type ${type} are replaced by an empty one, however long they were`, () => {
      for (const bytes of [16, 400_000]) {
        const original = new Uint8Array(bytes).fill(0x51);
        const { bytes: output, dataSet } = deidentified(withDocument(type, original), REMOVING);
        assert.ok(!text(output).includes('QQQQ'));
        assert.ok(text(dataSet.bytes(DOCUMENT)).startsWith(begins));
        assert.equal(dataSet.number(0x00420015), dataSet.bytes(DOCUMENT)?.length);
      }
    });
  }

  test('the empty PDF is one: every entry of its table is where an object begins', () => {
    const pdf = text(deidentified(withDocument('application/pdf', latin1('x')), REMOVING).dataSet.bytes(DOCUMENT));
    const entries = [...pdf.matchAll(/^(\d{10}) 00000 n $/gm)].map(([, at]) => Number(at));
    assert.equal(entries.length, 3);
    for (const [index, at] of entries.entries()) assert.ok(pdf.slice(at).startsWith(`${index + 1} 0 obj\n`));
    const start = Number(/startxref\n(\d+)\n%%EOF/.exec(pdf)?.[1]);
    assert.ok(pdf.slice(start).startsWith('xref\n0 4\n'));
  });

  const skip = skipWithoutProgram('dcm2pdf');
  test('DCMTK takes the empty PDF out again', { skip }, () => {
    const [file, pdf] = [join(folder, 'in.dcm'), join(folder, 'out.pdf')];
    writeFileSync(file, deidentified(withDocument('application/pdf', latin1('x')), REMOVING).bytes);
    assert.equal(spawnSync('dcm2pdf', [file, pdf]).status, 0);
  });
});

describe('patient IDs and their issuers', () => {
  const id = (issuer: string | undefined, profile: string) =>
    deidentified(
      instanceWith(...(issuer === undefined ? [] : [[0x00100021, 'LO', issuer] as const])),
      profile,
    ).dataSet.string(0x00100020);
  const DISTINGUISHING = 'name: x\nbase: ps3.15\nissuer: distinguish\n';

  test('are one patient whatever the issuer, unless the profile distinguishes', () => {
    assert.equal(id('A', 'basic'), id('B', 'basic'));
    assert.equal(id('A', 'basic'), id(undefined, DISTINGUISHING));
    assert.equal(id('A', DISTINGUISHING), id('A', DISTINGUISHING));
    assert.notEqual(id('A', DISTINGUISHING), id('B', DISTINGUISHING));
    assert.notEqual(id('A', DISTINGUISHING), id(undefined, DISTINGUISHING));
  });

  test('the qualifiers name the issuer too, and shifts of dates follow the patient', () => {
    const of = (entity: string) =>
      deidentified(
        instanceWith([0x00100024, [[[0x00400032, 'UT', entity]]]]),
        `${DISTINGUISHING}options: [retainLongitudinalModifiedDates]\n`,
      ).dataSet;
    assert.notEqual(of('1.2.3').string(0x00100020), of('1.2.4').string(0x00100020));
    assert.notEqual(of('1.2.3').string(0x00080020), of('1.2.4').string(0x00080020));
  });
});
