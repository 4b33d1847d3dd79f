/** `lethe pull` with Orthanc as the archive: found by C-FIND, brought by C-GET or C-MOVE, compared with the ledger, resumed. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bytesSource } from '../../src/core/bytes.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import { makeSampleStudies } from '../../src/samples/studies.ts';
import { freePort, skipWithoutOrthanc, startOrthanc } from '../delivery/orthanc.ts';
import { type Rig, startRig } from '../support/gateway-process.ts';

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');
const STUDY_INSTANCE_UID = 0x0020000d;
const ACCESSION_NUMBER = 0x00080050;

interface ArchivedStudy {
  readonly uid: string;
  readonly accession: string;
  count: number;
}

/** An Orthanc with the sample studies, and a gateway that it knows as LETHE. */
async function archive(t: TestContext) {
  const dicomPort = await freePort();
  const orthanc = await startOrthanc({
    DicomAlwaysAllowFind: true,
    DicomAlwaysAllowGet: true,
    DicomAlwaysAllowMove: true,
    DicomModalities: { LETHE: ['LETHE', '127.0.0.1', dicomPort] },
  });
  t.after(() => orthanc.kill());
  const studies = new Map<string, ArchivedStudy>();
  for await (const sample of makeSampleStudies()) {
    for (const file of sample.files) {
      const stored = await fetch(`${orthanc.url}/instances`, { method: 'POST', body: new Uint8Array(file.bytes) });
      if (!stored.ok) continue; // what Orthanc cannot read is not in the archive
      const { dataSet } = readPart10(bytesSource(file.bytes));
      const uid = dataSet.string(STUDY_INSTANCE_UID) ?? '';
      const known = studies.get(uid) ?? { uid, accession: dataSet.string(ACCESSION_NUMBER) ?? '', count: 0 };
      known.count++;
      studies.set(uid, known);
    }
  }
  const rig = await startRig(t, { configuration: { dicom: { port: dicomPort } } });
  return { orthanc, rig, studies: [...studies.values()] };
}

interface Line {
  readonly line: number;
  readonly status: string;
  readonly expected?: number;
  readonly received: number;
  readonly code?: string;
}

function pull(rig: Rig, port: number, ...more: string[]): Promise<{ code: number; lines: Line[]; output: string }> {
  const args = [
    ...['--disable-warning=ExperimentalWarning', MAIN, 'pull', '127.0.0.1', String(port), '--called', 'ORTHANC'],
    ...['--config', join(rig.dir, 'lethe.yaml'), '--list', join(rig.dir, 'list.csv'), '--json', ...more],
  ];
  return new Promise((done) => {
    execFile(process.execPath, args, { encoding: 'utf8' }, (error, stdout, stderr) => {
      const lines = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]));
      done({ code: typeof error?.code === 'number' ? error.code : 0, lines, output: stdout + stderr });
    });
  });
}

const skip = skipWithoutOrthanc();

for (const method of ['get', 'move']) {
  test(`by C-${method.toUpperCase()}: every study of the list arrives whole, named by accession number or UID`, {
    skip,
  }, async (t) => {
    const { orthanc, rig, studies } = await archive(t);
    const rows = studies.map(({ uid, accession }, index) => (index % 2 === 0 ? `${accession},` : `,${uid}`));
    writeFileSync(join(rig.dir, 'list.csv'), ['AccessionNumber,StudyInstanceUID', ...rows].join('\n'));
    const { code, lines, output } = await pull(rig, orthanc.dicomPort, '--method', method);
    assert.equal(code, 0, output);
    assert.deepEqual(
      lines.map(({ status, expected, received }) => ({ status, expected, received })),
      studies.map(({ count }) => ({ status: 'complete', expected: count, received: count })),
    );
    const { received, prepared, held, discarded } = (
      await rig.get<{ counts: Record<string, number> }>('/api/v1/status')
    ).counts;
    const total = [received, prepared, held, discarded].reduce<number>((sum, count) => sum + (count ?? 0), 0);
    assert.equal(
      total,
      studies.reduce((sum, { count }) => sum + count, 0),
    );
    // Neither what is printed nor what is recorded tells who somebody is.
    const state = readFileSync(join(rig.dir, 'list.csv.pulled.jsonl'), 'utf8');
    for (const { uid, accession } of studies)
      for (const text of [output, state]) assert.ok(!text.includes(uid) && !text.includes(accession));
  });
}

test('started again it goes on where it was; absent and missing studies are named by line and left to be done', {
  skip,
}, async (t) => {
  const { orthanc, rig, studies } = await archive(t);
  const [first, second] = studies;
  assert.ok(first !== undefined && second !== undefined);
  const list = join(rig.dir, 'list.csv');
  writeFileSync(list, `${first.uid}\nNOSUCH\n`);
  const one = await pull(rig, orthanc.dicomPort);
  assert.equal(one.code, 1);
  assert.deepEqual(
    one.lines.map(({ line, status }) => [line, status]),
    [
      [1, 'complete'],
      [2, 'absent'],
    ],
  );
  writeFileSync(list, `${first.uid}\n${second.uid}\n`);
  const two = await pull(rig, orthanc.dicomPort);
  assert.deepEqual([two.code, two.lines.map(({ line, status }) => [line, status])], [0, [[2, 'complete']]]);
  assert.deepEqual((await pull(rig, orthanc.dicomPort)).lines, []);
});

test('without a gateway nothing counts as received: the archive is told so, and the study stays to be done', {
  skip,
}, async (t) => {
  const { orthanc, rig, studies } = await archive(t);
  await rig.kill('SIGKILL');
  writeFileSync(join(rig.dir, 'list.csv'), studies[0]?.uid ?? '');
  const { code, lines } = await pull(rig, orthanc.dicomPort, '--attempts', '1');
  assert.equal(code, 1);
  // An archive may go on (incomplete) or give the association up (failed) when a C-STORE is refused.
  assert.equal(lines.length, 1);
  assert.ok(lines[0]?.status !== 'complete' && lines[0]?.received === 0, JSON.stringify(lines));
});

test('an archive that is not there is said so, and nothing is recorded as done', { skip }, async (t) => {
  const rig = await startRig(t);
  writeFileSync(join(rig.dir, 'list.csv'), 'A1');
  const { code, lines } = await pull(rig, await freePort(), '--attempts', '1');
  assert.deepEqual([code, lines[0]?.status, lines[0]?.code], [1, 'failed', 'DELIVERY_UNREACHABLE']);
  assert.ok(existsSync(join(rig.dir, 'list.csv.pulled.jsonl')));
});
