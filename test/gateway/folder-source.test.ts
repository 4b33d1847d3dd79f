/** Watched folders with the real spool and store: files, archives made by Python, media made by DCMTK, and hostile ones by hand. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemRandom } from '../../src/core/clock.ts';
import { silentLogger } from '../../src/core/log.ts';
import { FolderSource } from '../../src/gateway/folder-source.ts';
import { Receiver } from '../../src/gateway/receive.ts';
import { LocalSpool } from '../../src/queue/local-spool.ts';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';
import { buildPart10 } from '../build/data-set.ts';
import { testClock } from '../queue/store-rig.ts';
import { skipWithoutProgram } from '../support/peers.ts';

const STABLE_MS = 1000;
const NO_PYTHON = skipWithoutProgram('python3');

async function inbox(t: TestContext, options: { minFreeDiskBytes?: number } = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-folder-'));
  const clock = testClock();
  const dataDir = join(dir, 'data');
  mkdirSync(dataDir);
  const open = (minFreeDiskBytes: number) =>
    LocalSpool.open({ dataDir, minFreeDiskBytes }, { clock, random: systemRandom });
  const spool = await open(options.minFreeDiskBytes ?? 0);
  const store = new SqliteStore(join(dir, 'lethe.db'), clock);
  t.after(async () => {
    await store.close();
    await spool.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const receiver = new Receiver(
    { duplicates: 'keep', instanceBytesMax: 1_000_000, onAccepted: () => undefined },
    { spool, store, clock, random: systemRandom, logger: silentLogger },
  );
  const path = join(dir, 'inbox');
  const north = join(path, 'north');
  mkdirSync(north, { recursive: true });
  const source = () =>
    new FolderSource(
      { path, customer: undefined, pollMs: 1000, stableMs: STABLE_MS },
      { receiver, clock, logger: silentLogger },
    );
  const settle = async (one = source()) => {
    await one.pass();
    clock.advance(STABLE_MS);
    await one.pass();
  };
  const list = (folder: string) =>
    existsSync(folder)
      ? readdirSync(folder, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
          .toSorted()
      : [];
  const instances = async () => (await store.list({ limit: 1000 })).length;
  return { dir, north, clock, source, settle, list, instances, store };
}

function instance(number: number, more: Parameters<typeof buildPart10>[0] = []): Uint8Array {
  return buildPart10([
    ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.7'],
    ['SOPInstanceUID', `2.25.${number}`],
    ['StudyDate', '20200101'],
    ['Modality', 'OT'],
    ['PatientName', 'Doe^Jane'],
    ['PatientID', 'X1'],
    ['StudyInstanceUID', '2.25.77'],
    ['SeriesInstanceUID', '2.25.78'],
    ...more,
  ]);
}

/** A folder's files into an archive, by Python's zipfile; `code` may write more. */
function zip(folder: string, archive: string, code = ''): void {
  const script = `
import os, sys, zipfile
folder, archive = sys.argv[1:3]
with zipfile.ZipFile(archive, 'w', zipfile.ZIP_DEFLATED) as z:
    for at, _, names in os.walk(folder):
        for name in sorted(names):
            path = os.path.join(at, name)
            z.write(path, os.path.relpath(path, folder))
${code
  .split('\n')
  .map((line) => `    ${line}`)
  .join('\n')}
`;
  execFileSync('python3', ['-c', script, folder, archive]);
}

function study(dir: string, count: number): string {
  const folder = join(dir, 'study');
  mkdirSync(join(folder, 'deep'), { recursive: true });
  for (let number = 1; number <= count; number++)
    writeFileSync(join(folder, number % 2 === 0 ? 'deep' : '.', `i${number}.dcm`), instance(number));
  writeFileSync(join(folder, 'README.txt'), 'not an instance');
  return folder;
}

test('a file is taken only when it has been the same for a while, and goes to done with its path kept', async (t) => {
  const { north, clock, source, list, instances } = await inbox(t);
  mkdirSync(join(north, 'ward'));
  const file = join(north, 'ward', 'a.dcm');
  const bytes = instance(1);
  writeFileSync(file, bytes.subarray(0, 200));
  writeFileSync(join(north, 'b.dcm.part'), bytes);
  const watched = source();
  await watched.pass();
  clock.advance(STABLE_MS - 1);
  writeFileSync(file, bytes); // still growing
  await watched.pass();
  clock.advance(STABLE_MS - 1);
  await watched.pass();
  assert.equal(await instances(), 0);
  clock.advance(1);
  await watched.pass();
  assert.equal(await instances(), 1);
  assert.deepEqual(list(join(north, 'done')), ['ward/a.dcm']);
  assert.ok(existsSync(join(north, 'b.dcm.part')), 'a copy that is not finished is left alone');
});

test('what is no instance goes to failed with the reason beside it, and nothing of its content in the reason', async (t) => {
  const { north, settle, list } = await inbox(t);
  writeFileSync(join(north, 'letter.txt'), 'Dear Jane Doe');
  await settle();
  assert.deepEqual(list(join(north, 'failed')), ['letter.txt', 'letter.txt.reason.txt']);
  const reason = readFileSync(join(north, 'failed', 'letter.txt.reason.txt'), 'utf8');
  assert.match(reason, /^(DICOM|HTTP)_[A-Z0-9_]+: /);
  assert.doesNotMatch(reason, /Jane/);
});

test('a restart between custody and the move takes nothing twice', async (t) => {
  const { north, settle, source, instances } = await inbox(t);
  writeFileSync(join(north, 'a.dcm'), instance(1));
  await settle();
  renameSync(join(north, 'done', 'a.dcm'), join(north, 'a.dcm')); // as if the move had not happened
  await settle(source());
  assert.equal(await instances(), 1);
  assert.ok(existsSync(join(north, 'done', 'a.dcm')));
});

test('without room everything stays where it is', async (t) => {
  const { north, dir, settle, list } = await inbox(t, { minFreeDiskBytes: Number.MAX_SAFE_INTEGER });
  writeFileSync(join(north, 'a.dcm'), instance(1));
  if (NO_PYTHON === false) zip(study(dir, 2), join(north, 'study.zip'));
  const before = list(north);
  await settle();
  assert.deepEqual(list(north), before);
});

test('an archive is taken entry by entry; what is no instance in it is passed over', { skip: NO_PYTHON }, async (t) => {
  const { dir, north, settle, list, instances } = await inbox(t);
  zip(study(dir, 5), join(north, 'study.zip'));
  await settle();
  assert.equal(await instances(), 5);
  assert.deepEqual(list(join(north, 'done')), ['study.zip']);
});

test('a ZIP64 archive that was written as a stream is taken as well', { skip: NO_PYTHON }, async (t) => {
  const { dir, north, settle, instances } = await inbox(t);
  const archive = join(north, 'streamed.zip');
  const script = `
import sys, zipfile
out = open(sys.argv[2], 'wb')
class Pipe:
    def write(self, data): return out.write(data)
    def flush(self): out.flush()
with zipfile.ZipFile(Pipe(), 'w') as z:
    with z.open('a.dcm', 'w', force_zip64=True) as f: f.write(open(sys.argv[1], 'rb').read())
`;
  const file = join(dir, 'a.dcm');
  writeFileSync(file, instance(1));
  execFileSync('python3', ['-c', script, file, archive]);
  await settle();
  assert.equal(await instances(), 1);
});

const HOSTILE: readonly [string, string, RegExp][] = [
  [
    'an archive inside an archive',
    `z.writestr('inner.zip', open(archive, 'rb').read() + b'PK\\x05\\x06')`,
    /ARCHIVE_REFUSED/,
  ],
  ['a name that leads outside', `z.writestr('../../etc/passwd', b'x')`, /ARCHIVE_REFUSED/],
  ['an absolute name', `z.writestr('/etc/passwd', b'x')`, /ARCHIVE_REFUSED/],
];

for (const [what, code, reason] of HOSTILE) {
  test(`${what} is refused, and nothing is written outside of the folder`, { skip: NO_PYTHON }, async (t) => {
    const { dir, north, settle, list } = await inbox(t);
    zip(study(dir, 1), join(north, 'bad.zip'), `z.fp.flush()\n${code}`);
    const before = readdirSync(dir);
    await settle();
    assert.match(readFileSync(join(north, 'failed', 'bad.zip.reason.txt'), 'utf8'), reason);
    assert.deepEqual(list(join(north, 'done')), []);
    assert.deepEqual(readdirSync(dir), before, 'two levels above the folder');
  });
}

/** One entry, by hand from APPNOTE §4.3; `copies` directory entries may point at the same bytes. */
function rawZip(fields: {
  flags?: number;
  crc?: number;
  declared?: number;
  copies?: number;
  data: Uint8Array;
}): Buffer {
  const { flags = 0, crc = 0, data, copies = 1 } = fields;
  const declared = fields.declared ?? data.length;
  const name = Buffer.from('a.dcm');
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(flags, 2);
  common.writeUInt32LE(crc, 10);
  common.writeUInt32LE(data.length, 14);
  common.writeUInt32LE(declared, 18);
  common.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, name, data]);
  const entry = Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), common, Buffer.alloc(14), name]);
  const directory = Buffer.concat(Array.from({ length: copies }, () => entry));
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(copies, 8);
  end.writeUInt16LE(copies, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, directory, end]);
}

const DAMAGED: readonly [string, Buffer, RegExp][] = [
  ['an encrypted entry', rawZip({ flags: 1, data: instance(1) }), /ARCHIVE_REFUSED/],
  ['entries that share their bytes', rawZip({ copies: 500, data: instance(1) }), /ARCHIVE_REFUSED/],
  ['a checksum that is wrong', rawZip({ crc: 1, data: instance(1) }), /ARCHIVE_MALFORMED/],
  ['a size that is a lie', rawZip({ declared: 10, data: instance(1) }), /ARCHIVE_MALFORMED/],
  ['an end without a directory', Buffer.from('PK\x05\x06'), /ARCHIVE_MALFORMED/],
];

for (const [what, bytes, reason] of DAMAGED) {
  test(`${what}: refused, and none of it comes into custody`, async (t) => {
    const { north, settle, instances } = await inbox(t);
    writeFileSync(join(north, 'bad.zip'), bytes);
    await settle();
    assert.equal(await instances(), 0);
    assert.match(readFileSync(join(north, 'failed', 'bad.zip.reason.txt'), 'utf8'), reason);
  });
}

test('a truncated archive is refused at every length', { skip: NO_PYTHON }, async (t) => {
  const { dir, north, settle, list } = await inbox(t);
  const archive = join(dir, 'whole.zip');
  zip(study(dir, 2), archive);
  const whole = readFileSync(archive);
  for (let length = 4; length < whole.length; length += 97) {
    const path = join(north, `${length}.zip`);
    writeFileSync(path, whole);
    truncateSync(path, length);
  }
  await settle();
  assert.deepEqual(list(join(north, 'done')), []);
});

test('a bomb of zeros costs no more than the limit of one instance, and nothing of it is kept', {
  skip: NO_PYTHON,
}, async (t) => {
  const { dir, north, settle, instances } = await inbox(t);
  const folder = join(dir, 'bomb');
  mkdirSync(folder);
  writeFileSync(join(folder, 'a.dcm'), instance(1));
  const code = `head = open(os.path.join(folder, 'a.dcm'), 'rb').read()
z.writestr('bomb.dcm', head + b'\\0' * (64 << 20))`;
  zip(folder, join(north, 'bomb.zip'), code);
  await settle();
  assert.equal(await instances(), 1);
  assert.match(
    readFileSync(join(north, 'failed', 'bomb.zip.reason.txt'), 'utf8'),
    /bomb\.dcm: (HTTP_BODY_TOO_LARGE|DICOM)/,
  );
});

/** As a burner would lay it out, with its DICOMDIR by DCMTK. */
function medium(folder: string, count: number): void {
  mkdirSync(join(folder, 'DICOM'), { recursive: true });
  for (let number = 1; number <= count; number++)
    writeFileSync(
      join(folder, 'DICOM', `IM${number}`),
      instance(number, [
        ['StudyID', 'S'],
        ['SeriesNumber', '1'],
        ['InstanceNumber', String(number)],
      ]),
    );
  execFileSync('dcmmkdir', ['-Pgp', '+r', '+I', '+p', 'IM*', '+id', folder, '+D', join(folder, 'DICOMDIR')], {
    stdio: 'ignore',
  });
  writeFileSync(join(folder, 'AUTORUN.INF'), '[autorun]');
}

test('a medium is taken as its DICOMDIR names it, files that are no instances go along', {
  skip: skipWithoutProgram('dcmmkdir'),
}, async (t) => {
  const { north, settle, list, instances } = await inbox(t);
  medium(join(north, 'cd1'), 3);
  await settle();
  assert.equal(await instances(), 3);
  assert.deepEqual(list(join(north, 'done')), [
    'cd1/AUTORUN.INF',
    'cd1/DICOM/IM1',
    'cd1/DICOM/IM2',
    'cd1/DICOM/IM3',
    'cd1/DICOMDIR',
  ]);
  assert.deepEqual(list(join(north, 'failed')), []);
});

test('a medium waits until all of it is stable; a file that never came is named beside the DICOMDIR', {
  skip: skipWithoutProgram('dcmmkdir'),
}, async (t) => {
  const { north, clock, source, list, instances } = await inbox(t);
  medium(join(north, 'cd1'), 3);
  rmSync(join(north, 'cd1', 'DICOM', 'IM2'));
  const watched = source();
  await watched.pass();
  clock.advance(STABLE_MS);
  writeFileSync(join(north, 'cd1', 'DICOM', 'IM1'), instance(1, [['InstanceNumber', '1']])); // still being copied
  await watched.pass();
  assert.equal(await instances(), 0);
  clock.advance(STABLE_MS);
  await watched.pass();
  assert.equal(await instances(), 2);
  const reason = readFileSync(join(north, 'failed', 'cd1', 'DICOMDIR.reason.txt'), 'utf8');
  assert.match(reason, /^dicom\/im2: MEDIUM_INCOMPLETE/);
  assert.equal(list(join(north, 'cd1')).length, 0);
});

test('a medium in an archive: its DICOMDIR is no instance, and what it names must be there', {
  skip: skipWithoutProgram('dcmmkdir', 'python3'),
}, async (t) => {
  const { dir, north, settle, instances, list } = await inbox(t);
  medium(join(dir, 'cd'), 2);
  zip(join(dir, 'cd'), join(north, 'whole.zip'));
  rmSync(join(dir, 'cd', 'DICOM', 'IM2'));
  zip(join(dir, 'cd'), join(north, 'part.zip'));
  await settle();
  assert.equal(await instances(), 2);
  assert.deepEqual(list(join(north, 'done')), ['whole.zip']);
  assert.match(readFileSync(join(north, 'failed', 'part.zip.reason.txt'), 'utf8'), /^dicom\/im2: MEDIUM_INCOMPLETE/);
});
