/**
 * Real files the whole way: every file of the corpus that is marked ok is sent by DCMTK (or, where DCMTK cannot, by our
 * own SCU or over HTTP); each is acknowledged or refused with the status that its cause has, then delivered or held with
 * a reason of the table; the counts add up; no identifier of any of them is at the backend, in the log or in the API.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { ERRORS } from '../../src/core/errors.ts';
import { everythingUnder, type Rig, startRig, sum } from '../support/gateway-process.ts';
import { skipWithoutProgram } from '../support/peers.ts';
import { sharedPath, skipWithout } from '../support/shared.ts';

const run = promisify(execFile);

interface Entry {
  readonly path: string;
  readonly expect: string;
  readonly sent_by_dcmtk: string | null;
  readonly text?: Readonly<Record<string, string | { readonly dcmtk: string }>>;
}

/** Patient's name and ID, accession number, physicians, institution, address: what must not be seen again. */
const IDENTIFYING = [
  '00100010',
  '00100020',
  '00101000',
  '00101040',
  '00102154',
  '00080050',
  '00080090',
  '00080080',
  '00080081',
  '00081050',
  '00081070',
];
/** Values that name nobody although they stand where a name should: words of the files' makers and of our own output. */
const NOBODY =
  /^(first|last|name|anonymous|anonymized|patient|unknown|unspecified|none|null|test|hospital|removed|phantom|doctor|physician)$/i;
const SHORTEST = 5;

function entries(): Entry[] {
  const manifest = JSON.parse(readFileSync(sharedPath('corpus', 'MANIFEST.json'), 'utf8')) as { entries: Entry[] };
  return manifest.entries.filter(({ expect }) => expect === 'ok');
}

function identifiersOf(all: readonly Entry[]): Set<string> {
  const found = new Set<string>();
  for (const { text = {} } of all) {
    for (const tag of IDENTIFYING) {
      const value = text[tag];
      const whole = typeof value === 'string' ? value : (value?.dcmtk ?? '');
      for (const part of [whole, ...whole.split(/[\^=, \\]+/)])
        if (part.length >= SHORTEST && !NOBODY.test(part) && /^[\x20-\x7e]+$/.test(part)) found.add(part.toLowerCase());
    }
  }
  return found;
}

/** How many instances DCMTK counted as answered with Success. */
async function sendByDcmtk(rig: Rig, files: readonly string[]): Promise<{ sent: number; refused: string[] }> {
  const { stdout, stderr } = await run(
    'dcmsend',
    ['-aec', 'LETHE', '--no-halt', '--no-uid-checks', '-v', '127.0.0.1', String(rig.dicomPort), ...files],
    {
      env: { ...process.env, TCP_NODELAY: '1' },
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  const lines = `${stdout}\n${stderr}`.split('\n');
  const answers = lines.filter((line) => line.includes('Received C-STORE Response'));
  const refused = answers.filter((line) => !line.includes('(Success)'));
  return { sent: answers.length, refused };
}

test('the corpus goes the whole way: acknowledged, then delivered or held with a true reason, and no identifier leaks', {
  skip: skipWithout('corpus') || skipWithoutProgram('dcmsend'),
  timeout: 280_000,
}, async (t) => {
  const rig = await startRig(t);
  const all = entries();
  const byDcmtk = all
    .filter(({ sent_by_dcmtk }) => sent_by_dcmtk === 'dcmsend')
    .map(({ path }) => sharedPath('corpus', path));
  const rest = all
    .filter(({ sent_by_dcmtk }) => sent_by_dcmtk !== 'dcmsend')
    .map(({ path }) => sharedPath('corpus', path));
  const { sent, refused } = await sendByDcmtk(rig, byDcmtk);
  assert.equal(sent, byDcmtk.length, 'each is answered');
  // UIDs of the command (dcmsend takes them from the file meta) and of the data set differ, or are no UIDs at all.
  for (const line of refused) assert.match(line, /DataSetDoesNotMatchSOPClass|0x117/);
  let accepted = sent - refused.length;
  for (const path of rest) {
    const answer = await fetch(`http://127.0.0.1:${rig.httpPort}/receive_dicom`, {
      method: 'POST',
      body: readFileSync(path),
    });
    const { instances } = (await answer.json()) as { instances: { status: string; code?: string }[] };
    if (answer.status === 200) accepted++;
    else assert.ok(instances[0]?.code !== undefined && instances[0].code in ERRORS, 'a refusal says why');
  }
  const counts = await rig.quiet();
  const { instances } = await rig.get<{ instances: { state: string; reason?: string }[] }>(
    '/api/v1/instances?limit=500',
  );
  assert.equal(counts.received + counts.prepared + counts.held + counts.discarded, instances.length);
  assert.ok(instances.length <= accepted, 'what came twice is one instance');
  assert.ok(accepted > 320, `${accepted} accepted`);
  for (const { state, reason } of instances.filter((one) => one.state === 'held')) {
    assert.ok(reason !== undefined && reason in ERRORS, `${state} without a reason of the table`);
    assert.notEqual(reason, 'INVARIANT', 'a bug of ours is no true reason');
    assert.notEqual(reason, 'WORKER_DIED');
  }
  assert.equal(sum(counts.deliveries, 'delivered') + sum(counts.deliveries, 'held'), counts.prepared);
  const places = {
    backend: everythingUnder(rig.backendDir).toString('latin1').toLowerCase(),
    log: rig.log().toLowerCase(),
    api: JSON.stringify(await rig.get('/api/v1/instances?limit=500')).toLowerCase(),
  };
  const found = [...identifiersOf(all)].flatMap((identifier, number) =>
    Object.entries(places).flatMap(([where, text]) =>
      text.includes(identifier) ? [`number ${number} in ${where}`] : [],
    ),
  );
  assert.deepEqual(found, []);
});
