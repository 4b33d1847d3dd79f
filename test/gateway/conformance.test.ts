/** The statement as a whole: what is configured is what is stated, in the order of PS3.2 Annex N. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfiguration } from '../../src/config/load.ts';
import { STORAGE_SOP_CLASSES } from '../../src/dicom/uids.ts';
import { conformanceStatement } from '../../src/gateway/conformance.ts';

function statementOf(text: string): string {
  return conformanceStatement({ configuration: parseConfiguration(text, 'lethe.yaml', {}), baseDir: '/' });
}

test('the sections are those of a conformance statement, numbered through', () => {
  const titles = [...statementOf('{}').matchAll(/^## (\d+) (.+)$/gm)].map(([, number, title]) => `${number} ${title}`);
  assert.deepEqual(titles, [
    '1 Overview',
    '2 Introduction',
    '3 Implementation model',
    '4 AE specification: storage SCP',
    '5 AE specification: storage SCU',
    '6 AE specification: query/retrieve SCU',
    '7 Network interfaces',
    '8 Media interchange',
    '9 Character sets',
    '10 Security',
    '11 Annexes',
  ]);
});

test('F13: every storage SOP class is stated', () => {
  const text = statementOf('{}');
  for (const uid of STORAGE_SOP_CLASSES.keys()) assert.ok(text.includes(`| ${uid} |`), uid);
});

test('what is not configured is not promised', () => {
  const text = statementOf('{ dicom: { commitment: off }, http: { enabled: false } }');
  assert.match(text, /\| Storage \| no \| yes \|/);
  assert.match(text, /\| Storage Commitment Push Model \| no \| no \|/);
  assert.match(text, /STOW-RS \(PS3\.18 §10\.5\) \| not configured/);
  assert.doesNotMatch(text, /N-ACTION/);
  assert.match(text, /asks for no associations/);
});

test('F26: a destination, a TLS port, a profile and the identities are stated as they are configured, without their secrets', () => {
  const text = statementOf(`
dicom:
  plain: false
  duplicates: replace
  commitment: custody
  aeTitles: [{ aeTitle: RESEARCH, customer: uni, profile: research }]
  tls: { port: 2762, cert: c.pem, key: k.pem, clientAuth: required, profile: bcp195-modified }
  userIdentity: { required: true, users: [{ name: ann, passcode: { env: NOT_SET_ANYWHERE } }], jwt: { publicKey: none.pem } }
destinations:
  - { name: archive, type: dicom, host: pacs.example, port: 104, calledAeTitle: PACS, statuses: { retry: [A9xx] } }
`);
  assert.match(text, /Plain ports \| none/);
  assert.match(text, /PS3\.15 §B\.13/);
  assert.match(text, /ECDHE-ECDSA-AES256-CCM/);
  assert.match(text, /\| archive \| pacs\.example:104 \| PACS \/ LETHE \| no \| 1 \| 30 s \| retry: A9xx \|/);
  assert.match(text, /\| RESEARCH \| uni \| research \|/);
  assert.match(text, /research \| 113100 Basic Application Confidentiality Profile; 1131/);
  assert.match(text, /Required; verified: username and passcode \(2\), jwt \(5\)/);
  assert.match(text, /takes the place of versions/);
  assert.match(text, /committed when it is in custody/);
});

test('query and retrieval are stated as their user, with what is sent', () => {
  const text = statementOf('{}');
  // UIDs of PS3.4 Table C.6.2-1, keys of PS3.4 §C.6.2.1.
  const operations = [
    ['FIND', '1.2.840.10008.5.1.4.1.2.2.1', 'C-FIND'],
    ['MOVE', '1.2.840.10008.5.1.4.1.2.2.2', 'C-MOVE'],
    ['GET', '1.2.840.10008.5.1.4.1.2.2.3', 'C-GET'],
  ] as const;
  for (const [name, uid, operation] of operations) {
    const model = `Study Root Query/Retrieve Information Model - ${name}`;
    assert.ok(text.includes(`| ${model}, by \`lethe pull\` | yes | no |`), name);
    const row = `| ${model} | ${uid} | ${operation} | SCU | 1.2.840.10008.1.2.1, 1.2.840.10008.1.2 |`;
    assert.ok(text.includes(row), row);
  }
  const find = text.split('\n').find((line) => line.includes('| C-FIND |')) ?? '';
  for (const key of ['AccessionNumber (0008,0050)', 'QueryRetrieveLevel (0008,0052)', 'StudyInstanceUID (0020,000D)'])
    assert.ok(find.includes(key), key);
  assert.match(text, /accepted as stored: 1\.2\.840\.10008\.1\.2\.4\.70,/);
});

test('F27: where audit messages go is stated', () => {
  assert.match(statementOf('{}'), /No audit repository is configured/);
  const text = statementOf('{ audit: { syslog: { host: arr.example, port: 6514 } } }');
  assert.match(text, /go to arr\.example:6514 by RFC 5425 \(TLS\), PS3\.15 §A\.6/);
});

test('the character sets are those that can be read', () => {
  const text = statementOf('{}');
  for (const term of ['ISO_IR 192', 'GB18030', 'ISO 2022 IR 87', 'ISO 2022 IR 149'])
    assert.ok(text.includes(term), term);
});
