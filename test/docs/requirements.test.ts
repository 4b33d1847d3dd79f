import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '../..');
/** Not held yet: named here and nowhere else, so that nobody believes that it is. */
const NOT_YET: readonly string[] = [];

/** Rule -> the files with a test or suite of that name. */
function namedByTests(): Map<string, string[]> {
  const named = new Map<string, string[]>();
  for (const file of globSync('test/**/*.test.ts', { cwd: ROOT })) {
    const text = readFileSync(join(ROOT, file), 'utf8');
    for (const [, name = ''] of text.matchAll(/\b(?:test|describe)\(\s*(?:\n\s*)?[`'"]([^`\n]*?)[`'"],/g))
      for (const [rule] of name.matchAll(/\b[FS]\d{1,2}(?=[:,])/g)) named.set(rule, [...(named.get(rule) ?? []), file]);
  }
  return named;
}

const rules = [...readFileSync(join(ROOT, 'docs/requirements.md'), 'utf8').matchAll(/^\| ([FS]\d{1,2}) \|/gm)].map(
  ([, rule = '']) => rule,
);

test('every rule of docs/requirements.md is held by a test of its name', () => {
  const named = namedByTests();
  const alone = rules.filter((rule) => !named.has(rule) && !NOT_YET.includes(rule));
  assert.deepEqual(alone, []);
  assert.deepEqual(
    rules.filter((rule) => /^F/.test(rule)),
    Array.from({ length: 29 }, (_value, index) => `F${index + 1}`),
  );
});

test('every rule that a test of the listener names is in docs/requirements.md', () => {
  for (const [rule, files] of namedByTests()) assert.ok(rules.includes(rule), `${rule} in ${files.join(', ')}`);
});

test('the sections of CONFORMANCE.md that rules point to exist', () => {
  const headings = [...readFileSync(join(ROOT, 'CONFORMANCE.md'), 'utf8').matchAll(/^#{2,3} ([0-9.]+) /gm)].map(
    ([, number]) => number,
  );
  const text = readFileSync(join(ROOT, 'docs/requirements.md'), 'utf8');
  for (const [, rule, section = ''] of text.matchAll(/^\| (F\d+) \|.*\| ([0-9.]*) ?\|$/gm))
    if (section !== '') assert.ok(headings.includes(section), `${rule}: ${section}`);
});
