/** Several destinations at once: each with what it asked for, and none with another's trouble. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import { fileItem, storeFiles } from '../../src/cli/store-files.ts';
import { makeSampleStudies } from '../../src/samples/studies.ts';
import { startRig } from '../support/gateway-process.ts';
import { skipWithoutProgram } from '../support/peers.ts';

function filesUnder(dir: string, ending: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(dir, name));
}

/** Takes connections and requests, and never answers. */
async function silentServer(t: { after(work: () => unknown): void }): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => undefined).resume());
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

test('a dead destination and one that never answers touch no other; each other one gets its own profile, format and choice', {
  skip: skipWithoutProgram('dcmdump'),
}, async (t) => {
  const silent = await silentServer(t);
  const rig = await startRig(t, {
    configuration: {
      retention: { preparedMinutes: 60 },
      destinations: [
        { name: 'cloud', type: 'image-api', url: 'http://127.0.0.1:1', rendering: { quality: 60 } },
        { name: 'silent', type: 'image-api', url: `http://127.0.0.1:${silent}`, timeoutSeconds: 3600 },
        { name: 'strict', type: 'folder', path: 'strict', profile: 'basic', contents: 'dicom' },
        { name: 'deep', type: 'folder', path: 'deep', rendering: { format: 'png16' }, filter: { modalities: ['CT'] } },
        { name: 'night', type: 'folder', path: 'night', pace: { windows: [anHourFrom(12)], timeZone: 'UTC' } },
      ],
    },
  });
  const samples = join(rig.dir, 'samples');
  mkdirSync(samples);
  const paths: string[] = [];
  let ctCount = 0;
  for await (const study of makeSampleStudies()) {
    for (const file of study.files) {
      const path = join(samples, file.name);
      writeFileSync(path, file.bytes);
      paths.push(path);
      if (execFileSync('dcmdump', ['+P', '0008,0060', path], { encoding: 'utf8' }).includes('[CT]')) ctCount++;
    }
  }
  const peer = { host: '127.0.0.1', port: rig.dicomPort, callingAeTitle: 'MANY', calledAeTitle: 'LETHE', parallel: 2 };
  for await (const { status } of storeFiles(
    paths.map((path) => fileItem(path, path)),
    peer,
  ))
    assert.equal(status, 0);
  const { deliveries } = await rig.quiet(['strict', 'deep']);
  assert.equal(deliveries['strict']?.['delivered'], paths.length);
  assert.equal(deliveries['deep']?.['delivered'], ctCount);
  assert.ok(ctCount > 0 && ctCount < paths.length, 'the filter had something to do');
  for (const name of ['cloud', 'silent', 'night']) assert.equal(deliveries[name]?.['delivered'], 0, name);
  assert.equal(deliveries['night']?.['queued'], paths.length, 'its time has not come');
  const strict = filesUnder(join(rig.dir, 'strict'), '.dcm');
  assert.equal(strict.length, paths.length);
  assert.equal(filesUnder(join(rig.dir, 'strict'), '.jpg').length, 0);
  // PS3.16 CID 7050, 113107: Retain Longitudinal Temporal Information Modified Dates, which the site's profile does.
  const keepsDates = (path: string) => execFileSync('dcmdump', [path], { encoding: 'utf8' }).includes('[113107]');
  for (const path of strict) assert.equal(keepsDates(path), false);
  const deep = filesUnder(join(rig.dir, 'deep'), '.dcm');
  assert.equal(deep.length, ctCount);
  for (const path of deep) assert.equal(keepsDates(path), true);
  for (const path of filesUnder(join(rig.dir, 'deep'), '.png'))
    assert.equal((await sharp(path).metadata()).depth, 'ushort');
});

/** A window that opens so many hours from now. */
function anHourFrom(hours: number): string {
  const hour = (new Date().getUTCHours() + hours) % 24;
  const text = (value: number) => String(value).padStart(2, '0');
  return `${text(hour)}:00-${text(hour)}:59`;
}
