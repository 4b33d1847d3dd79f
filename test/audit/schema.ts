/** Asks xmllint whether audit messages are what PS3.15 §A.5.1 allows. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const GRAMMAR = join(import.meta.dirname, 'audit-message.rng');

/** What xmllint says of each; empty where all are valid. */
export function schemaFaults(messages: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-audit-'));
  try {
    const paths = messages.map((xml, index) => {
      const path = join(folder, `${index}.xml`);
      writeFileSync(path, xml);
      return path;
    });
    const { status, stderr } = spawnSync('xmllint', ['--noout', '--nonet', '--relaxng', GRAMMAR, ...paths], {
      encoding: 'utf8',
    });
    return status === 0 ? '' : stderr;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function assertValid(messages: readonly string[]): void {
  assert.ok(messages.length > 0, 'there is nothing to look at');
  assert.equal(schemaFaults(messages), '');
}
