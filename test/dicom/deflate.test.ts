/** Deflated data sets, PS3.5 A.5. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { bytesSource, MemorySink } from '../../src/core/bytes.ts';
import { DeflateSink, inflateDataSet } from '../../src/dicom/deflate.ts';
import { writeFileMeta } from '../../src/dicom/part10.ts';
import { buildDataSet, concatBytes, DEFLATED_LITTLE } from '../build/data-set.ts';
import { skipWithoutProgram } from '../support/peers.ts';

function deflated(bytes: Uint8Array, step: number): Uint8Array {
  const sink = new MemorySink();
  const deflate = new DeflateSink(sink);
  for (let at = 0; at < bytes.length; at += step) deflate.write(bytes.subarray(at, at + step));
  deflate.end();
  return sink.bytes();
}

const NOISE = Uint8Array.from({ length: 1_300_000 }, (_, index) => (index * index) >>> 7);

describe('DeflateSink', () => {
  test('what it writes inflates to what it was given, over several blocks and at their edges', () => {
    for (const length of [0, 1, 524_287, 524_288, 524_289, NOISE.length]) {
      const bytes = NOISE.subarray(0, length);
      assert.deepEqual(
        Uint8Array.from(inflateDataSet(bytesSource(deflated(bytes, 100_003)), 0)),
        Uint8Array.from(bytes),
      );
    }
  });

  test('the stream does not depend on how it was written, and has even length', () => {
    const whole = deflated(NOISE, NOISE.length);
    assert.deepEqual(deflated(NOISE, 4097), whole);
    for (const length of [0, 1, 2, 3, 10, 11]) assert.equal(deflated(NOISE.subarray(0, length), 7).length % 2, 0);
  });

  test('DCMTK reads it', { skip: skipWithoutProgram('dcmdump') }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'lethe-deflate-'));
    try {
      const path = join(folder, 'file.dcm');
      const meta = writeFileMeta({
        sopClassUid: '1.2.840.10008.5.1.4.1.1.7',
        sopInstanceUid: '2.25.1',
        transferSyntaxUid: DEFLATED_LITTLE,
      });
      writeFileSync(
        path,
        concatBytes(
          meta,
          deflated(
            buildDataSet([
              ['PatientID', 'P1'],
              ['PixelData', 'OB', NOISE],
            ]),
            50_000,
          ),
        ),
      );
      const { stdout, stderr } = spawnSync('dcmdump', [path], { encoding: 'utf8' });
      assert.equal(stderr, '');
      assert.match(stdout, /\(0010,0020\) LO \[P1\]/);
      assert.match(stdout, /\(7fe0,0010\) OB .* # 1300000, 1 PixelData/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('inflateDataSet', () => {
  const stream = deflated(NOISE, NOISE.length);

  test('bytes after the stream are ignored', () => {
    assert.equal(inflateDataSet(bytesSource(concatBytes(stream, Uint8Array.of(0, 0, 0))), 0).length, NOISE.length);
  });

  test('the limit holds to the byte', () => {
    assert.equal(inflateDataSet(bytesSource(stream), 0, NOISE.length).length, NOISE.length);
    assert.throws(() => inflateDataSet(bytesSource(stream), 0, NOISE.length - 1), { code: 'DICOM_TOO_LARGE' });
  });

  test('nothing at all is truncated', () => {
    assert.throws(() => inflateDataSet(bytesSource(new Uint8Array(0)), 0), { code: 'DICOM_TRUNCATED' });
  });
});
