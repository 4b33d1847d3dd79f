/** Letters in values where no text belongs: a reader of the output never finds them, whatever they say. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesSource } from '../../src/core/bytes.ts';
import { IdentityCollector } from '../../src/deid/identity.ts';
import { leakCheck } from '../../src/deid/leak-check.ts';
import { buildPart10, concatBytes, IMPLICIT_LITTLE, latin1 } from '../build/data-set.ts';
import { deidentified, instanceWith } from './support/instance.ts';

/** A stranger: nothing else in the instance knows the name. */
const NAME = 'Zanvikyor';

function outputOf(element: readonly [number, ...unknown[]], profile: string, transferSyntax?: string) {
  const { bytes, dataSet } = deidentified(instanceWith(element), profile, {}, transferSyntax);
  const text = Buffer.from(bytes).toString('latin1').replaceAll('\0', '');
  return { dataSet, isThere: text.toLowerCase().includes(NAME.toLowerCase()) };
}

describe('letters where no text belongs', () => {
  const odd: readonly (readonly [string, readonly [number, ...unknown[]]])[] = [
    ['behind the NUL of a code', [0x00080064, 'CS', `WSD\0${NAME.toUpperCase()}`]],
    ['in small letters, as no code is written', [0x00180022, 'CS', NAME]],
    ['longer than a code may be', [0x00180022, 'CS', `SCAN FOR ${NAME.toUpperCase()}`]],
    ['in the code of a retired attribute', [0x0032000a, 'CS', NAME.toUpperCase()]],
    ['behind the NUL of a number', [0x00180060, 'DS', `120\0${NAME}`]],
    ['behind the NUL of a technical name', [0x00181160, 'SH', `FLAT\0${NAME}`]],
    ['as UTF-16 in a text', [0x00204000, 'LT', Buffer.from(NAME, 'utf16le').toString('latin1')]],
    ['in the place of UIDs of kinds', [0x00080062, 'UI', NAME]],
    ['as numbers beyond the only one', [0x00201002, 'US', latin1(` ${NAME}`)]],
    ['as bytes in the place of a number', [0x00280106, 'OB', latin1(` ${NAME}`)]],
    ['as words in the place of a number', [0x00280107, 'OW', latin1(` ${NAME}`)]],
    ['as bytes in the place of a sequence', [0x00186011, 'OB', latin1(` ${NAME}`)]],
    ['as text in the place of a sequence', [0x00186011, 'LT', NAME]],
    ['as bytes in the place of a retained weight', [0x00101030, 'OB', latin1(` ${NAME}`)]],
    ['in the place of a date', [0x00080020, 'DA', NAME]],
    ['in the place of a date and time', [0x0008002a, 'DT', NAME]],
  ];
  for (const profile of ['basic', 'default', 'research']) {
    for (const [where, element] of odd) {
      test(`${where}: gone, ${profile}`, () => assert.equal(outputOf(element, profile).isThere, false));
    }
  }

  test('what stands before the NUL stays, and as many numbers as there may be', () => {
    assert.equal(outputOf([0x00080064, 'CS', `WSD\0${NAME}`], 'basic').dataSet.string(0x00080064), 'WSD');
    const numbers = concatBytes(Uint8Array.of(8, 0), latin1(` ${NAME}`));
    assert.deepEqual(outputOf([0x00280010, 'US', numbers], 'basic').dataSet.numbers(0x00280010), [8]);
    assert.deepEqual(outputOf([0x00281101, 'US', [1, 2, 3]], 'basic').dataSet.numbers(0x00281101), [1, 2, 3]);
  });

  test('a code stays, and words in the place of one stay where they name nobody', () => {
    assert.equal(outputOf([0x00180022, 'CS', 'HELICAL MODE'], 'basic').dataSet.string(0x00180022), 'HELICAL MODE');
    assert.equal(outputOf([0x00180015, 'CS', 'Chest'], 'basic').dataSet.string(0x00180015), 'Chest');
  });

  test('a safe private number is one also where the file names no VR', () => {
    const block = (value: string) =>
      deidentified(
        instanceWith([0x00430010, 'LO', 'GEMS_PARM_01'], [0x00431039, 'IS', value]),
        'default',
        {},
        IMPLICIT_LITTLE,
      ).bytes;
    assert.ok(!Buffer.from(block(NAME)).includes(NAME));
    assert.ok(Buffer.from(block('1000\\7')).includes('1000\\7'));
  });

  test('the leak check reads text with NULs between its letters', () => {
    const collector = new IdentityCollector();
    collector.add('name', `${NAME}^Kel`);
    const wide = Buffer.from(NAME, 'utf16le').toString('latin1');
    const file = buildPart10([[0x00204000, 'LT', wide]]);
    const leaks = leakCheck(bytesSource(file), collector.identity());
    assert.deepEqual(leaks, [{ path: '(0020,4000)' }]);
  });
});
