import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { parseConfiguration } from '../../src/config/load.ts';
import type { DestinationConfiguration } from '../../src/config/schema.ts';
import { destinationOf, dispatchOptionsOf, objectWanted, takerOf } from '../../src/gateway/destinations.ts';

function configured(destination: Record<string, unknown>, site: Record<string, unknown> = {}) {
  const text = JSON.stringify({ ...site, destinations: [{ name: 'one', ...destination }] });
  const configuration = parseConfiguration(text, 'lethe.yaml', {});
  const one = configuration.destinations?.[0];
  assert.ok(one !== undefined);
  return { configuration, one };
}

const API = { type: 'image-api', url: 'http://127.0.0.1:1' };

test('batches, budget and connections of a destination are its own where it says so, else the site', () => {
  const { configuration, one } = configured(
    {
      ...API,
      batching: { by: 'study', maxBytes: '1MiB' },
      limits: { maxAttempts: 3, retryMaxSeconds: 7 },
      pace: { connections: 5 },
    },
    { batching: { maxImages: 9, idleSeconds: 2 }, limits: { maxAgeHours: 4 } },
  );
  const { batching, retry, lanes, opensInMs } = dispatchOptionsOf(one, configuration);
  assert.deepEqual(batching, { by: 'study', maxInstances: 9, maxBytes: 1_048_576, idleMs: 2000 });
  assert.deepEqual(retry, { attemptsMax: 3, ageMaxMs: 14_400_000, baseMs: 1000, maxMs: 7000 });
  assert.deepEqual([lanes, opensInMs(0)], [5, 0]);
});

test('time windows are read at start-up: when it is closed, for how long; what is no window or zone is refused', () => {
  const windows = (pace: Record<string, unknown>) => {
    const { configuration, one } = configured({ ...API, pace });
    return dispatchOptionsOf(one, configuration);
  };
  const { opensInMs } = windows({ windows: ['20:00-22:00'], timeZone: 'UTC' });
  assert.equal(opensInMs(Date.parse('2026-03-02T20:00:00Z')), 0);
  assert.equal(opensInMs(Date.parse('2026-03-02T19:00:00Z')), 3_600_000);
  assert.throws(() => windows({ windows: ['at night'] }), /CONFIG_INVALID/);
  assert.throws(() => windows({ windows: ['20:00-22:00'], timeZone: 'Nowhere/Here' }), /timeZone/);
});

test('whether images are wanted follows from the kind of destination and its contents', () => {
  const wants = (destination: Record<string, unknown>) => takerOf(configured(destination).one).wantsImages;
  const folder = { type: 'folder', path: 'x' };
  assert.deepEqual([API, folder, { ...folder, contents: 'dicom' }, { type: 'stow-rs', url: 'http://h' }].map(wants), [
    true,
    true,
    false,
    false,
  ]);
  const pacs = { type: 'dicom', host: 'h', port: 104, calledAeTitle: 'PACS' };
  assert.equal(wants(pacs), false);
  assert.equal(takerOf(configured(API).one).accepts, 'images');
});

test('whether the DICOM object is wanted follows from the kind of destination and its contents', () => {
  const wants = (destination: Record<string, unknown>) => takerOf(configured(destination).one).wantsObject;
  const folder = { type: 'folder', path: 'x' };
  const pacs = { type: 'dicom', host: 'h', port: 104, calledAeTitle: 'PACS' };
  const all = [API, folder, { ...folder, contents: 'dicom' }, { ...folder, contents: 'images' }, pacs];
  assert.deepEqual(all.map(wants), [false, true, true, false, true]);
  assert.equal(wants({ type: 'stow-rs', url: 'http://h' }), true);
});

test('who wants the object is asked by name', () => {
  const folder = { type: 'folder', path: 'x' };
  const wants = (destination: Record<string, unknown>) => objectWanted([configured(destination).one])('one');
  assert.deepEqual([folder, { ...folder, contents: 'images' }, API].map(wants), [true, false, false]);
  assert.equal(objectWanted([configured(folder).one])('another'), false);
  assert.equal(objectWanted()('one'), false);
});

test('every kind of destination opens with all that can be configured for it', async () => {
  const pace = { bytesPerSecond: '2MB' };
  const auth = {
    type: 'oauth2',
    tokenUrl: 'http://t',
    clientId: 'c',
    clientSecret: 's',
    audience: 'a',
    credentialsIn: 'body',
  };
  const all: Record<string, unknown>[] = [
    { ...API, auth, headers: { 'X-Site': 'north' }, proxy: 'http://127.0.0.1:3128', gzip: true, pace },
    { type: 'stow-rs', url: 'https://h/dicom-web', pace },
    { type: 'dicom', host: 'h', port: 104, calledAeTitle: 'PACS', tls: {}, timeoutSeconds: 9, pace },
    { type: 'folder', path: 'out', contents: 'images', pace },
    {
      type: 's3',
      url: 'https://s3.example/bucket',
      accessKeyId: 'a',
      secretAccessKey: 'b',
      sessionToken: 'c',
      contents: 'dicom',
      partBytes: '8MiB',
      pace,
    },
  ];
  for (const destination of all) {
    const { configuration, one } = configured(destination);
    const opened = destinationOf(one, contextOf(configuration.batching));
    assert.equal(opened.type, (one as DestinationConfiguration).type);
    await opened.close();
  }
});

function contextOf(batching: ReturnType<typeof parseConfiguration>['batching']) {
  return { baseDir: tmpdir(), env: {}, batching, callingAeTitle: 'LETHE' };
}
