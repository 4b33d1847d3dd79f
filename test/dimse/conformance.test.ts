import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STORAGE_SOP_CLASSES } from '../../src/dicom/uids.ts';
import {
  type ConformanceOptions,
  communicationConformance,
  listenerConformance,
  transportSecurity,
} from '../../src/dimse/conformance.ts';
import { NEGOTIATION } from './listener.ts';

const OPTIONS: ConformanceOptions = {
  port: 11112,
  aeTitles: [{ aeTitle: 'LETHE' }, { aeTitle: 'RESEARCH' }],
  peers: [{ aeTitle: 'CT1' }],
  maxAssociations: 64,
  maxAssociationsPerPeer: 8,
  negotiation: NEGOTIATION,
  timers: { artimTimeoutMs: 20_000 },
};

test('F20: the statement lists every status with what to do, sorted by code', () => {
  const text = listenerConformance(OPTIONS, 4) + communicationConformance(OPTIONS);
  for (const status of ['0000', '0110', '0111', '0117', '0122', '0124', '0210', '0212', 'A700', 'A900', 'C000'])
    assert.match(text, new RegExp(`^\\| ${status} \\|`, 'm'), status);
});

test('F14: the statement names every storage SOP class and every answer of the negotiation', () => {
  const text = listenerConformance(OPTIONS, 4) + communicationConformance(OPTIONS);
  for (const uid of STORAGE_SOP_CLASSES.keys()) assert.ok(text.includes(`| ${uid} |`), uid);
  assert.match(text, /AE titles \| LETHE, RESEARCH/);
  assert.match(text, /ARTIM timer \| 20 s/);
  assert.match(text, /User identity \| Ignored/);
  assert.doesNotMatch(text, /Push Model \|/);
});

test('what is configured is what is stated', () => {
  const negotiation = {
    ...NEGOTIATION,
    unknownSopClasses: 'reject',
    furtherSopClasses: new Set(['1.2.840.10008.1.20.1']),
  } as const;
  const tls = { port: 2762, cert: 'c', key: 'k', clientAuth: 'required' } as const;
  const options: ConformanceOptions = {
    ...OPTIONS,
    commitmentPolicy: 'on delivery',
    duplicatePolicy: 'kept',
    negotiation,
    tls,
    users: { required: true, users: [{ name: 'ann', passcode: 'x' }], tokenTypes: [5] },
    validation: { uidsDiffer: 'warn' },
    maxInstancesPerAssociation: 500,
    peers: 'any',
  };
  const text = [listenerConformance(options, 4), communicationConformance(options), transportSecurity(options)].join();
  assert.match(text, /Storage Commitment Push Model \| 1\.2\.840\.10008\.1\.20\.1 \| SCP/);
  assert.match(text, /Other SOP classes are refused/);
  assert.match(text, /TLS port \| 2762/);
  assert.match(text, /Client certificates: required/);
  assert.match(text, /User identity \| Required; verified: username and passcode \(2\), jwt \(5\)/);
  assert.match(text, /500 instances, then 0213/);
  assert.match(text, /of command and data set differ \| stored, answered B007/);
  assert.match(text, /committed on delivery/);
  assert.match(text, /0131 \| duplicate transaction uid/);
});
