import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type DeliverableInstance, dicomFileOf } from '../../src/delivery/destination.ts';
import { type FolderOptions, folderDestination } from '../../src/delivery/folder/folder.ts';
import { deliverable, PICTURE } from './deliverable.ts';
import { destinationContract } from './destination.contract.ts';

const root = mkdtempSync(join(tmpdir(), 'lethe-folder-'));
after(() => rmSync(root, { recursive: true, force: true }));
const signal = new AbortController().signal;
let count = 0;

function opened(options: Partial<FolderOptions> = {}) {
  count += 1;
  const path = join(root, String(count));
  return { path, destination: folderDestination('archive', { path, ...options }) };
}

const pathOf = (path: string, { manifest }: DeliverableInstance, extension = 'dcm') =>
  join(path, manifest.studyInstanceUid, manifest.seriesInstanceUid, `${manifest.sopInstanceUid}.${extension}`);

destinationContract('folder', {
  instance: () => deliverable(),
  open: async () => {
    const { path, destination } = opened();
    return {
      destination,
      stored: async (instance) => readFileSync(pathOf(path, instance)),
      expected: ({ manifest, open }) => Buffer.from(open(dicomFileOf(manifest)).read(0, 1_000_000)),
      count: async () => readdirSync(path, { recursive: true }).filter((name) => String(name).endsWith('.dcm')).length,
      down: async () => rmSync(path, { recursive: true }),
      dispose: async () => undefined,
    };
  },
});

test('study/series/instance, with the rendered images beside it by their own UID', async () => {
  const { path, destination } = opened();
  const [instance] = [deliverable({ sopInstanceUid: '1.2.3.4.9', frames: [PICTURE, PICTURE] })];
  await destination.deliver([instance], signal);
  const names = readdirSync(join(path, '1.2.3', '1.2.3.4')).sort();
  assert.deepEqual(names, ['1.2.3.4.9.2.jpg', '1.2.3.4.9.dcm', '1.2.3.4.9.jpg']);
  assert.ok(readFileSync(pathOf(path, instance, 'jpg')).equals(PICTURE));
});

test('DICOM alone or images alone, as configured', async () => {
  const instance = deliverable();
  for (const [contents, extension] of [
    ['dicom', 'dcm'],
    ['images', 'jpg'],
  ] as const) {
    const { path, destination } = opened({ contents });
    await destination.deliver([instance], signal);
    assert.deepEqual(readdirSync(join(path, '1.2.3', '1.2.3.4')), [`${instance.manifest.sopInstanceUid}.${extension}`]);
  }
});

test('a folder that is gone is not made again on the local disk', async () => {
  const { path, destination } = opened();
  rmSync(path, { recursive: true });
  const [outcome] = await destination.deliver([deliverable()], signal);
  assert.equal(outcome?.kind === 'failed' && outcome.code, 'DELIVERY_UNREACHABLE');
  assert.ok(!existsSync(path));
});

test('what an attempt that died left behind goes away, and other files stay', async () => {
  const { path, destination } = opened();
  const [first, second] = [deliverable(), deliverable()];
  await destination.deliver([first], signal);
  const series = join(path, '1.2.3', '1.2.3.4');
  writeFileSync(join(series, `.lethe-${second.manifest.sopInstanceUid}-x.jpg`), 'half');
  writeFileSync(join(series, 'notes.txt'), 'theirs');
  await destination.deliver([second], signal);
  assert.deepEqual(
    readdirSync(series).filter((name) => name.startsWith('.')),
    [],
  );
  assert.ok(existsSync(join(series, 'notes.txt')) && existsSync(pathOf(path, first)));
});

test('an identifier that is no UID is held: it could name another folder', async () => {
  const { path, destination } = opened();
  const outcomes = await destination.deliver(
    [
      deliverable({ seriesInstanceUid: '..' }),
      deliverable({ studyInstanceUid: '../x' }),
      deliverable({ sopInstanceUid: '' }),
    ],
    signal,
  );
  for (const outcome of outcomes) assert.equal(outcome.kind === 'failed' && outcome.code, 'DELIVERY_PAYLOAD_INVALID');
  assert.deepEqual(readdirSync(path), []);
});
