/** The road of one instance with several destinations, in this process; DCMTK reads what came of it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bytesSource } from '../../src/core/bytes.ts';
import { SCRATCH_BYTES_MAX } from '../../src/core/scratch.ts';
import { compileProfile } from '../../src/deid/profile.ts';
import { dicomFileOf } from '../../src/delivery/destination.ts';
import { compileRules, type Rule } from '../../src/gateway/inspect.ts';
import { manifestFor } from '../../src/gateway/manifests.ts';
import type { DestinationTaker } from '../../src/gateway/outputs.ts';
import { processInstance } from '../../src/gateway/process.ts';
import { LocalPreparedArea } from '../../src/queue/local-prepared.ts';
import { buildPart10 } from '../build/data-set.ts';
import { skipWithoutProgram } from '../support/peers.ts';

const ID = '01J00000000000000000000000';
/** Removes the manufacturer, which the default profile keeps. */
const STRICT = 'name: strict\nbase: ps3.15\nrules:\n  - { element: Manufacturer, action: remove }\n';

function ct(slope = '1', frames = 1, side = 2): Uint8Array {
  const frame = Buffer.alloc(side * side * 2);
  frame.set([1, 0, 2, 0, 3, 0, 4, 0]);
  return buildPart10([
    ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.2'],
    ['SOPInstanceUID', '2.25.1'],
    ['StudyDate', '20200101'],
    ['Modality', 'CT'],
    ['Manufacturer', 'ACME'],
    ['PatientName', 'Canary^Carla'],
    ['PatientID', 'CANARY-7'],
    ['StudyInstanceUID', '2.25.2'],
    ['SeriesInstanceUID', '2.25.3'],
    ['SamplesPerPixel', 1],
    ['PhotometricInterpretation', 'MONOCHROME2'],
    ['NumberOfFrames', String(frames)],
    ['Rows', side],
    ['Columns', side],
    ['BitsAllocated', 16],
    ['BitsStored', 12],
    ['HighBit', 11],
    ['PixelRepresentation', 0],
    ['RescaleIntercept', '0'],
    ['RescaleSlope', slope],
    ['PixelData', 'OW', Buffer.concat(Array.from({ length: frames }, () => frame))],
  ]);
}

function taker(name: string, more: Partial<DestinationTaker> = {}): DestinationTaker {
  return { name, accepts: 'all', wantsImages: true, wantsObject: true, ...more };
}

function harness(
  t: TestContext,
  bytes: Uint8Array,
  destinations: readonly DestinationTaker[],
  rules: readonly Rule[] = [],
) {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-process-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const area = new LocalPreparedArea(folder);
  const used: (string | undefined)[] = [];
  const job = {
    id: ID,
    customer: 'default',
    sourceKind: 'dicom',
    sourceName: 'PACS',
    receivedAtMs: 0,
    profile: undefined,
    location: 'x',
    bytes: bytes.length,
    attempt: 'one',
  };
  const run = () =>
    processInstance(
      job,
      {
        profileOf: (name) => {
          used.push(name);
          return compileProfile(name === 'strict' ? STRICT : (name ?? 'default'));
        },
        rules: compileRules(rules),
        rendering: { format: 'jpeg', quality: 90, onUnrepresentable: 'hold' },
        pixels: { whenUnscanned: 'hold' },
        destinations,
      },
      {
        openReceived: async () => ({
          ...bytesSource(bytes),
          contentDigest: createHash('sha256').update(bytes).digest('hex'),
          close: () => undefined,
        }),
        prepared: (one) => area.prepared(one.id, one.attempt),
        keyOf: () => ({ bytes: new Uint8Array(32).fill(7), generation: 1 }),
        studiesKeyOf: () => new Uint8Array(32).fill(8),
        onProgress: () => undefined,
      },
    );
  const file = (outcome: Awaited<ReturnType<typeof run>>, destination: string) => {
    assert.equal(outcome.kind, 'prepared');
    if (outcome.kind !== 'prepared') throw new Error('unreachable');
    const manifest = manifestFor(outcome.output.manifest, destination);
    const source = area.open(outcome.output.location, dicomFileOf(manifest));
    const path = join(folder, `${destination}.dcm`);
    writeFileSync(path, source.read(0, source.size));
    source.close();
    return { manifest, path };
  };
  return { run, file, used, folder, area };
}

test('each destination gets its own profile and its own images of one instance', {
  skip: skipWithoutProgram('dcmdump'),
}, async (t) => {
  const { run, file, used } = harness(t, ct(), [
    taker('cloud'),
    taker('research', { profile: 'strict', rendering: { format: 'png16' } }),
    taker('pacs', { profile: 'strict', wantsImages: false }),
  ]);
  const outcome = await run();
  const [cloud, research, pacs] = [file(outcome, 'cloud'), file(outcome, 'research'), file(outcome, 'pacs')];
  const dump = (path: string) => execFileSync('dcmdump', [path], { encoding: 'utf8' });
  assert.match(dump(cloud.path), /\(0008,0070\) LO \[ACME\]/);
  assert.doesNotMatch(dump(research.path), /ACME/);
  for (const { path } of [cloud, research, pacs]) assert.doesNotMatch(dump(path), /canary/i);
  assert.deepEqual(
    [cloud, research, pacs].map(({ manifest }) => manifest.images.map((image) => [image.mediaType, image.bitsStored])),
    [[['image/jpeg', 8]], [['image/png', 12]], [['image/png', 12]]],
  );
  assert.equal(research.manifest.digest, pacs.manifest.digest, 'one object for one profile');
  assert.deepEqual(used, [undefined, 'strict'], 'each profile is applied once');
  assert.equal(cloud.manifest.studyInstanceUid, research.manifest.studyInstanceUid);
});

test('where every destination takes images only, the object is verified, rendered from and not kept', async (t) => {
  const images = { wantsObject: false };
  const kept = harness(t, ct(), [taker('cloud')]);
  const spared = harness(t, ct(), [taker('cloud', images), taker('other', { ...images, profile: 'strict' })]);
  const [whole, lean] = [await kept.run(), await spared.run()];
  assert.ok(whole.kind === 'prepared' && lean.kind === 'prepared');
  const [before, after] = [whole, lean].map(({ output }) => manifestFor(output.manifest, 'cloud'));
  assert.equal(before?.dicomFile, 'instance.dcm');
  assert.equal(after?.dicomFile, undefined);
  assert.deepEqual(after?.images, before?.images);
  const image = spared.area.open(lean.output.location, after?.images[0]?.file ?? '');
  const expected = createHash('sha256').update(image.read(0, image.size)).digest('hex');
  image.close();
  assert.equal(after?.digest, expected, 'the digest is of the images where there is no object');
  assert.throws(() => spared.area.open(lean.output.location, 'instance.dcm'), { code: 'SPOOL_CORRUPT' });
  const files = readdirSync(join(spared.folder, 'prepared'), { recursive: true, withFileTypes: true });
  assert.equal(files.filter((entry) => entry.isFile()).length, 1, 'one pack, and nothing beside it');
});

test('an object that is not kept is rendered from the same pixels as one that is, also where some were changed', async (t) => {
  const side = 700;
  const bytes = Buffer.from(ct('1', 1, side));
  const pixels = bytes.subarray(-side * side * 2);
  for (let at = 0; at < pixels.length; at += 2) pixels.writeUInt16LE((at * 5) & 0xfff, at);
  const clean = Buffer.from(bytes);
  for (let at = 300_000; at < 300_400; at += 2) pixels.writeUInt16LE(0xf000 | pixels.readUInt16LE(at), at);
  const image = async (of: Uint8Array, wantsObject: boolean) => {
    const { run, area } = harness(t, of, [taker('cloud', { wantsObject })]);
    const outcome = await run();
    assert.ok(outcome.kind === 'prepared');
    const file = area.open(outcome.output.location, 'frame-1.jpg');
    const found = Buffer.from(file.read(0, file.size));
    file.close();
    return found.toString('base64');
  };
  const expected = await image(clean, true);
  for (const [of, wantsObject] of [
    [bytes, true],
    [bytes, false],
    [clean, false],
  ] as const)
    assert.ok((await image(of, wantsObject)) === expected);
});

test('a destination that wants the object gets it beside one of the same profile that does not', async (t) => {
  const { run, file } = harness(t, ct(), [
    taker('cloud', { wantsObject: false }),
    taker('pacs', { wantsImages: false }),
  ]);
  const outcome = await run();
  assert.equal(file(outcome, 'cloud').manifest.dicomFile, file(outcome, 'pacs').manifest.dicomFile);
});

test('an object too large for memory that is not kept leaves nothing beside the pack', async (t) => {
  const large = ct('1', 1, 3000);
  assert.ok(large.length > SCRATCH_BYTES_MAX);
  const { run, folder } = harness(t, large, [taker('cloud', { wantsObject: false })]);
  assert.equal((await run()).kind, 'prepared');
  const files = readdirSync(join(folder, 'prepared'), { recursive: true, withFileTypes: true });
  assert.equal(files.filter((entry) => entry.isFile()).length, 1);
});

test('each destination gets the frames it asks for; the first keeps the UID of the instance', async (t) => {
  const { run, file } = harness(t, ct('1', 5), [
    taker('cloud'),
    taker('film', { rendering: { frames: 'middle' } }),
    taker('pair', { rendering: { frames: { numbers: [9, 5, 1] } } }),
  ]);
  const outcome = await run();
  const images = ['cloud', 'film', 'pair'].map((name) => file(outcome, name).manifest.images);
  assert.deepEqual(
    images.map((list) => list.map(({ frame }) => frame)),
    [[1, 2, 3, 4, 5], [3], [1, 5]],
  );
  const [cloud, film, pair] = images.map((list) => list.map(({ imageInstanceUid }) => imageInstanceUid));
  assert.deepEqual([film, pair], [[cloud?.[2]], [cloud?.[0], cloud?.[4]]], 'a frame has one UID everywhere');
  assert.equal(new Set(cloud).size, 5);
});

test('an output that cannot be made is held for its destinations; the others go on', async (t) => {
  const { run, file } = harness(t, ct('1.5'), [
    taker('cloud'),
    taker('deep', { rendering: { format: 'png16' } }),
    taker('research', { profile: 'strict' }),
  ]);
  const outcome = await run();
  assert.equal(outcome.kind, 'prepared');
  if (outcome.kind !== 'prepared') return;
  assert.deepEqual(outcome.destinations, ['cloud', 'research']);
  assert.deepEqual(
    outcome.unprepared.map(({ destinations, reason }) => [destinations, reason]),
    [[['deep'], 'IMAGING_UNREPRESENTABLE']],
  );
  assert.equal(file(outcome, 'research').manifest.images.length, 1);
});

test('when nothing can be made for anybody the instance is held with the first reason', async (t) => {
  const { run } = harness(t, ct('1.5'), [taker('deep', { rendering: { format: 'png16' } })]);
  const outcome = await run();
  assert.deepEqual([outcome.kind, outcome.kind === 'held' && outcome.code], ['held', 'IMAGING_UNREPRESENTABLE']);
});

test('an instance that nobody takes is held, and says whether for want of an image', async (t) => {
  const codes: (string | false)[] = [];
  for (const destination of [
    taker('mr', { filter: { modalities: ['MR'] } }),
    taker('reports', { accepts: 'non-images' }),
  ]) {
    const outcome = await harness(t, ct(), [destination]).run();
    codes.push(outcome.kind === 'held' && outcome.code);
  }
  assert.deepEqual(codes, ['INSTANCE_NO_DESTINATION', 'INSTANCE_NO_DESTINATION']);
  const report = buildPart10([
    ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.88.11'],
    ['SOPInstanceUID', '2.25.1'],
  ]);
  const outcome = await harness(t, report, [taker('images', { accepts: 'images' })]).run();
  assert.equal(outcome.kind === 'held' && outcome.code, 'OBJECT_HAS_NO_IMAGE');
});

test("a rule's profile is the instance's, except where a destination has its own", async (t) => {
  const rule: Rule = {
    name: 'trial',
    action: 'profile',
    profile: 'basic',
    when: [{ element: 'Modality', equals: 'CT' }],
  };
  const { run, used } = harness(t, ct(), [taker('cloud'), taker('own', { profile: 'strict' })], [rule]);
  assert.equal((await run()).kind, 'prepared');
  assert.deepEqual(used, ['basic', 'strict']);
});

test('F21: an instance that was stored although its command said another UID is held and never prepared', async (t) => {
  const bytes = Buffer.from(ct());
  const meta = bytes.indexOf('2.25.1', 132, 'latin1'); // Media Storage SOP Instance UID comes first
  bytes.write('2.25.9', meta, 'latin1');
  const outcome = await harness(t, bytes, [taker('one')]).run();
  assert.deepEqual(outcome.kind === 'held' && outcome.code, 'DIMSE_SOP_CLASS_MISMATCH');
});
