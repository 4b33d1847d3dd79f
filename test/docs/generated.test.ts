import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { configurationPage, conformancePage, errorsPage, metricsPage, schemaDocument } from '../../scripts/gen-docs.ts';

const ROOT = join(import.meta.dirname, '../..');

for (const [path, make] of [
  ['docs/config.md', configurationPage],
  ['docs/errors.md', errorsPage],
  ['docs/metrics.md', metricsPage],
  ['lethe.schema.json', schemaDocument],
  ['CONFORMANCE.md', conformancePage],
] as const) {
  test(`${path} says what the program does (npm run gen)`, () => {
    assert.equal(readFileSync(join(ROOT, path), 'utf8'), make());
  });
}

test('every verb of the command line is in the changelog, so that a new one is announced', async () => {
  const { VERBS } = await import('../../src/cli/verbs.ts');
  const changelog = readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8');
  for (const verb of Object.keys(VERBS)) assert.match(changelog, new RegExp(`\\b${verb}\\b`), verb);
});
