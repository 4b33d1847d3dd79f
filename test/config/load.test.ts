import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfiguration, openSecret, parseConfiguration, sizeBytes } from '../../src/config/load.ts';
import { LetheError } from '../../src/core/errors.ts';

function problemOf(text: string, env: Record<string, string> = {}): LetheError {
  try {
    parseConfiguration(text, 'lethe.yaml', env);
  } catch (error) {
    assert.ok(error instanceof LetheError);
    return error;
  }
  assert.fail('the configuration was taken');
}

function folder(t: { after(fn: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'lethe-config-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('without a file the defaults are loopback only', () => {
  const { configuration } = loadConfiguration({ cwd: tmpdir(), env: {} });
  assert.equal(configuration.dicom.host, '127.0.0.1');
  assert.equal(configuration.http.host, '127.0.0.1');
  assert.equal(configuration.dicom.port, 11112);
  assert.equal(configuration.dicom.aeTitle, 'LETHE');
  assert.equal(configuration.http.port, 8042);
  assert.deepEqual(configuration.batching, { by: 'series', maxImages: 32, maxBytes: '64MiB', idleSeconds: 5 });
  assert.equal(configuration.rendering.quality, 90);
});

test('an unknown key is refused with line, column and the nearest known key', () => {
  const error = problemOf('dicom:\n  aeTitel: X\n');
  assert.equal(error.code, 'CONFIG_INVALID');
  assert.equal(error.detail['line'], 2);
  assert.equal(error.detail['key'], 'dicom.aeTitel');
  assert.equal(error.detail['didYouMean'], 'aeTitle');
});

test('an unknown key inside a list entry is refused with the keys of that kind of entry in mind', () => {
  const error = problemOf('folders:\n  - path: ./inbox\n    custmers: subfolders\n');
  assert.equal(error.detail['didYouMean'], 'customers');
  assert.equal(error.detail['line'], 3);
});

test('what is wrong with a destination is told as of the type that it is', () => {
  const cases: readonly [string, RegExp][] = [
    [
      '{ name: c, type: imageapi, url: "http://x" }',
      /line=1 column=33 .*didYouMean=image-api allowed=image-api, stow-rs, /,
    ],
    ['{ name: c, type: s3, url: "http://x" }', /must have required properties region, accessKeyId, secretAccessKey/],
    [
      '{ name: c, type: s3, url: "http://x", acessKeyId: a }',
      /key=destinations\.0\.acessKeyId .*didYouMean=accessKeyId/,
    ],
    ['{ name: c, type: dicom, host: h, port: 99999, calledAeTitle: X }', /key=destinations\.0\.port .*65535/],
    ['{ name: c, type: folder, path: x, url: "http://x" }', /column=50 key=destinations\.0\.url .*does not belong/],
  ];
  for (const [destination, words] of cases) assert.match(problemOf(`destinations: [${destination}]\n`).message, words);
});

test('a value out of range names its line', () => {
  const error = problemOf('dicom:\n  port: 99999\n');
  assert.equal(error.detail['line'], 2);
  assert.match(String(error.detail['problem']), /65535/);
});

test('broken YAML and a key written twice are refused with their place', () => {
  assert.equal(problemOf('dicom: [').detail['line'], 1);
  assert.equal(problemOf('dataDir: a\ndataDir: b\n').detail['line'], 2);
});

test('${NAME} takes the value of the environment, and its absence is an error that names it', () => {
  assert.equal(
    parseConfiguration('dataDir: ${HOME_OF_DATA}/spool', 'f', { HOME_OF_DATA: '/srv' }).dataDir,
    '/srv/spool',
  );
  assert.match(problemOf('dataDir: ${HOME_OF_DATA}').message, /HOME_OF_DATA is not set/);
});

test('LETHE_CONFIG names the file and LETHE_DATA_DIR overrides its dataDir', (t) => {
  const cwd = folder(t);
  writeFileSync(join(cwd, 'other.yaml'), 'dataDir: spool\ndicom: { aeTitle: OTHER }\n');
  const plain = loadConfiguration({ cwd, env: { LETHE_CONFIG: 'other.yaml' } });
  assert.equal(plain.configuration.dataDir, join(cwd, 'spool'));
  assert.equal(plain.configuration.dicom.aeTitle, 'OTHER');
  const moved = loadConfiguration({ cwd, env: { LETHE_CONFIG: 'other.yaml', LETHE_DATA_DIR: 'elsewhere' } });
  assert.equal(moved.configuration.dataDir, join(cwd, 'elsewhere'));
});

test('a configuration file that is named but missing is an error, not a default', () => {
  assert.throws(() => loadConfiguration({ path: 'nowhere.yaml', cwd: tmpdir(), env: {} }), {
    code: 'CONFIG_UNREADABLE',
  });
});

test('listening beyond loopback without a peer policy or users is refused', (t) => {
  const cwd = folder(t);
  const load = (text: string) => {
    writeFileSync(join(cwd, 'lethe.yaml'), text);
    return loadConfiguration({ cwd, env: {} });
  };
  assert.throws(() => load('dicom: { host: 0.0.0.0 }'), /dicom\.peers/);
  assert.throws(() => load('http: { host: 0.0.0.0 }'), /http\.users/);
  assert.equal(load('dicom: { host: 0.0.0.0, peers: any }').configuration.dicom.peers, 'any');
});

test('history that is shorter than commitments may take is refused', (t) => {
  const cwd = folder(t);
  const load = (text: string) => {
    writeFileSync(join(cwd, 'lethe.yaml'), text);
    return loadConfiguration({ cwd, env: {} });
  };
  const dicom = 'dicom: { commitmentHours: 48';
  assert.throws(() => load(`${dicom} }\nretention: { historyDays: 1 }`), /historyDays/);
  load(`${dicom} }\nretention: { historyDays: 2 }`);
  load(`${dicom}, commitment: off }\nretention: { historyDays: 1 }`);
});

test('two destinations of one name, and a rule that routes to none, are refused', (t) => {
  const cwd = folder(t);
  const destination = '{ name: a, type: folder, path: out }';
  const load = (text: string) => {
    writeFileSync(join(cwd, 'lethe.yaml'), text);
    return loadConfiguration({ cwd, env: {} });
  };
  assert.throws(() => load(`destinations: [${destination}, ${destination}]`), /two destinations/);
  assert.throws(
    () =>
      load(
        `destinations: [${destination}]\nrules: [{ name: r, action: route, destinations: [b], when: [{ source: X }] }]`,
      ),
    /no destination is called b/,
  );
});

test('sizes are read with decimal and binary units', () => {
  const cases: readonly [number | string, number][] = [
    [7, 7],
    ['7', 7],
    ['5kB', 5000],
    ['10KiB', 10240],
    ['64MiB', 67108864],
    ['1.5GB', 1_500_000_000],
    ['2TiB', 2199023255552],
  ];
  for (const [text, bytes] of cases) assert.equal(sizeBytes(text), bytes, String(text));
});

test('a secret comes from a file or the environment, and its absence is named without the secret', (t) => {
  const cwd = folder(t);
  writeFileSync(join(cwd, 'token'), 's3cret\n');
  assert.equal(openSecret({ file: 'token' }, cwd, {}), 's3cret');
  assert.equal(openSecret({ env: 'TOKEN' }, cwd, { TOKEN: 'other' }), 'other');
  assert.throws(() => openSecret({ env: 'TOKEN' }, cwd, {}), { code: 'CONFIG_SECRET_MISSING' });
  assert.throws(() => openSecret({ file: 'absent' }, cwd, {}), { code: 'CONFIG_SECRET_MISSING' });
});

test('aliases that stand for a million values are an error that names the file', () => {
  const ten = (what: string) => `[${Array.from({ length: 10 }, () => what).join(', ')}]`;
  const bomb = `a: &a ${ten('x')}\nb: &b ${ten('*a')}\nc: &c ${ten('*b')}\nd: ${ten('*c')}\n`;
  const { code, message } = problemOf(bomb);
  assert.equal(code, 'CONFIG_INVALID');
  assert.match(message, /aliases/);
});
