/** What docs/profiles.md promises to who writes a profile is what happens. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { compileProfile } from '../../src/deid/profile.ts';
import { ACTIONS, OPTIONS, ProfileSchema } from '../../src/deid/profile-schema.ts';
import { VRS } from '../../src/dicom/vr.ts';

const ROOT = join(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'docs/profiles.md'), 'utf8');

/** The rows of the table whose first column is called so, without their backquotes. */
function rowsOf(head: string): string[][] {
  const lines = page.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${head} |`));
  const rest = lines.slice(start + 2);
  return rest
    .slice(
      0,
      rest.findIndex((line) => !line.startsWith('|')),
    )
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.replaceAll('`', '').trim()),
    );
}

test('every example is a profile', () => {
  const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => text);
  assert.ok(examples.length > 0);
  for (const text of examples) assert.equal(compileProfile(text).name, 'site');
});

test('every shipped profile, option, action and key has its place', () => {
  const shipped = readdirSync(join(ROOT, 'profiles')).filter((name) => name.endsWith('.yaml'));
  assert.deepEqual(
    rowsOf('shipped')
      .map(([name = '']) => `${name.split(' ')[0]}.yaml`)
      .toSorted(),
    shipped.toSorted(),
  );
  assert.deepEqual([...new Set(rowsOf('action').map(([action]) => action))].toSorted(), [...ACTIONS].toSorted());
  for (const option of OPTIONS) assert.ok(page.includes(`\`${option}\``), option);
  const words = ['description', 'warning']; // say nothing of what is done
  for (const key of Object.keys(ProfileSchema.properties).filter((one) => !words.includes(one)))
    assert.match(page, new RegExp(`\\b${key}\\b`), key);
});

describe('an action is taken for the VRs that the page lists, and for no other', () => {
  const text = /Text below is ([A-Z ]+)\./.exec(page)?.[1]?.split(' ') ?? [];
  for (const [action = '', takes = '', vrs = ''] of rowsOf('action')) {
    test(`${action} ${takes}`, () => {
      const listed = vrs.split(' ').flatMap((vr) => (vr === 'all' ? Object.keys(VRS) : vr === 'text' ? text : [vr]));
      const taken = Object.keys(VRS).filter((vr) => {
        const rule = [`vr: ${vr}`, `action: ${action}`, ...takes.split(/, (?=[a-z]+:)/).filter((one) => one !== '')];
        try {
          return compileProfile(`name: x\nbase: ps3.15\nrules:\n  - ${rule.join('\n    ')}\n`).rules.size === 1;
        } catch {
          return false;
        }
      });
      assert.deepEqual(taken.toSorted(), listed.toSorted());
    });
  }
});
