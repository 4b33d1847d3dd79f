/** `lethe rules test`: the program itself, on a configuration as somebody would write it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { buildPart10 } from '../build/data-set.ts';

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');
const CONFIGURATION = `destinations:
  - { name: cloud, type: image-api, url: "http://127.0.0.1:1" }
  - { name: pacs, type: dicom, host: h, port: 104, calledAeTitle: PACS, filter: { modalities: [MR] } }
  - { name: archive, type: folder, path: out }
rules:
  - name: reports-elsewhere
    action: route
    destinations: [archive]
    when:
      - element: Modality
        equals: SR
  - name: nightly
    action: urgent
    when: [{ during: "20:00-06:00", timeZone: UTC }]
`;

function rules(t: TestContext, configuration: string, ...more: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-rules-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'lethe.yaml'), configuration);
  const report = buildPart10([
    ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.88.11'],
    ['SOPInstanceUID', '2.25.1'],
    ['Modality', 'SR'],
    ['PatientName', 'Canary^Carla'],
  ]);
  writeFileSync(join(folder, 'report.dcm'), report);
  const args = ['--disable-warning=ExperimentalWarning', MAIN, 'rules', 'test', 'report.dcm', ...more];
  return spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
}

test('says where a file would go and why, rule by rule', (t) => {
  const { stdout, status } = rules(t, CONFIGURATION, '--at', '2026-03-01T12:00:00Z');
  assert.equal(status, 0);
  assert.match(stdout, /report\.dcm: proceed to archive$/m);
  assert.match(stdout, /\* reports-elsewhere \(route\): matches\n {6}yes {2}Modality is SR/);
  assert.match(stdout, /nightly \(urgent\): does not match/);
  assert.doesNotMatch(stdout, /Canary/);
});

test('--at assumes another time of receipt, and --json says the same to programs', (t) => {
  const { stdout } = rules(t, CONFIGURATION, '--at', '2026-03-01T22:00:00Z', '--json');
  const { goesTo, urgent, rules: found } = JSON.parse(stdout);
  assert.deepEqual([goesTo, urgent, found.length], [['archive'], true, 2]);
});

test('a mistake in a rule stops everything, and its line is named', (t) => {
  const mistakes: [string, string, RegExp][] = [
    ['element: Modality', 'element: Modalty', /line=10 column=18 .*Modalty is neither a tag .*didYouMean=Modality/],
    ['during: "20:00-06:00"', 'during: noon', /line=14 column=22 /],
    [
      '[archive]',
      '[archiv]',
      /line=8 column=19 .*no destination is called archiv .*didYouMean=archive allowed=cloud, /,
    ],
    ['action: urgent', 'action: ugrent', /line=13 column=13 .*didYouMean=urgent allowed=discard, hold, route, /],
    ['equals: SR', 'equal: SR', /line=11 column=9 .*unknown key didYouMean=equals known=element, equals, /],
    ['equals: SR', 'matches: "^(?:S|S)+R(?=x)$"', /line=11 column=18 .*back as \$1.*\(at its character 11\)/],
    ['element: Modality', 'element: Modality.StudyDate', /line=10 column=18 .*Modality is no sequence/],
    ['element: Modality', 'element: ReferencedStudySequence', /line=10 column=18 .*is a sequence/],
    ['timeZone: UTC', 'via: flder', /line=14 column=42 .*flder is no way in.*didYouMean=folder/],
  ];
  for (const [right, wrong, expected] of mistakes) {
    const { stderr, status } = rules(t, CONFIGURATION.replace(right, wrong));
    assert.match(stderr, expected);
    assert.notEqual(status, 0);
  }
});
