import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { appendFileSync, chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  appendCheckpoint,
  type Checkpoint,
  checkpointsPath,
  isSigned,
  loadOrMakeSigningKey,
  publicKeyPath,
  readCheckpoints,
  readPublicKeys,
  signCheckpoint,
} from '../../src/audit/checkpoint.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import { type AuditEntry, CHAIN_START, chainHash } from '../../src/core/chain.ts';

type Hashed = AuditEntry & { hash: string };

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'lethe-checkpoint-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function chain(count: number): Hashed[] {
  const entries: Hashed[] = [];
  for (let sequence = 1; sequence <= count; sequence++) {
    const entry = { sequence, atMs: sequence, event: 'e', instance: '', detail: `d${sequence}` };
    entries.push({ ...entry, hash: chainHash(entries.at(-1)?.hash ?? CHAIN_START, entry) });
  }
  return entries;
}

/** Made anew from an entry on, as somebody would who can write the database. */
function rewritten(entries: readonly Hashed[], from: number, detail: string): Hashed[] {
  const forged: Hashed[] = [];
  for (const { hash: _hash, ...entry } of entries) {
    const one = entry.sequence === from ? { ...entry, detail } : entry;
    forged.push({ ...one, hash: chainHash(forged.at(-1)?.hash ?? CHAIN_START, one) });
  }
  return forged;
}

const { privateKey, publicKey } = generateKeyPairSync('ed25519');

function signed(entries: readonly Hashed[], ...sequences: number[]): Checkpoint[] {
  const checkpoints: Checkpoint[] = [];
  for (const sequence of sequences) {
    const previous = checkpoints.at(-1)?.signature ?? '';
    const { hash = '' } = entries[sequence - 1] ?? {};
    checkpoints.push(signCheckpoint({ sequence, hash, atMs: sequence, previous }, privateKey));
  }
  return checkpoints;
}

async function* asStream(entries: readonly Hashed[]) {
  yield* entries;
}

const verdict = (entries: readonly Hashed[], checkpoints: readonly Checkpoint[], keys = [publicKey]) =>
  verifyAudit(asStream(entries), checkpoints, keys);

test('F27: a whole chain with its checkpoints is whole', async () => {
  const entries = chain(10);
  assert.deepEqual(await verdict(entries, signed(entries, 4, 10)), {
    whole: true,
    entries: 10,
    checkpoints: 2,
    lastHash: entries[9]?.hash,
  });
});

test('F27: an entry that was changed, removed or moved is named', async () => {
  const entries = chain(10);
  const broken = async (changed: readonly Hashed[]) => {
    const found = await verdict(changed, []);
    return found.whole ? undefined : [found.firstBroken, found.problem];
  };
  assert.deepEqual(await broken(entries.with(4, { ...(entries[4] as Hashed), detail: 'other' })), [5, 'changed']);
  assert.deepEqual(await broken(entries.toSpliced(4, 1)), [5, 'missing']);
  assert.deepEqual(await broken(entries.toSpliced(0, 1)), [1, 'missing']);
});

test('F27: a chain that was made anew as a whole is caught by the checkpoint, and so is an end that was cut off', async () => {
  const entries = chain(10);
  const checkpoints = signed(entries, 4, 8);
  const forged = await verdict(rewritten(entries, 3, 'other'), checkpoints);
  assert.deepEqual(forged.whole ? [] : [forged.firstBroken, forged.problem], [4, 'not what the checkpoint says']);
  const cut = await verdict(entries.slice(0, 6), checkpoints);
  assert.deepEqual(cut.whole ? [] : [cut.firstBroken, cut.problem], [7, 'missing']);
});

test('F27: a checkpoint that was forged, changed or taken out is named', async () => {
  const entries = chain(10);
  const checkpoints = signed(entries, 2, 4, 8);
  const stranger = generateKeyPairSync('ed25519');
  const broken = async (changed: readonly Checkpoint[], keys = [publicKey]) => {
    const found = await verdict(entries, changed, keys);
    return found.whole ? undefined : [found.firstBroken, found.problem];
  };
  assert.deepEqual(await broken(checkpoints, [stranger.publicKey]), [2, 'checkpoint not signed by a known key']);
  const [, second] = checkpoints;
  assert.ok(second !== undefined);
  assert.deepEqual(await broken(checkpoints.with(1, { ...second, atMs: 9 })), [
    4,
    'checkpoint not signed by a known key',
  ]);
  assert.deepEqual(await broken(checkpoints.toSpliced(1, 1)), [8, 'checkpoint missing']);
});

test('the signing key is made once, for its owner alone; others that may read it are a reason not to start', (t) => {
  const dataDir = folder(t);
  const key = loadOrMakeSigningKey(dataDir);
  const path = join(dataDir, 'keys', 'audit-signing.pem');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const checkpoint = signCheckpoint({ sequence: 1, hash: 'h', atMs: 1, previous: '' }, loadOrMakeSigningKey(dataDir));
  assert.ok(isSigned(checkpoint, readPublicKeys(publicKeyPath(dataDir))));
  assert.equal(key.asymmetricKeyType, 'ed25519');
  chmodSync(path, 0o640);
  assert.throws(() => loadOrMakeSigningKey(dataDir), /AUDIT_KEY_UNREADABLE/);
});

test('a lost key is replaced, and what it signed still verifies', (t) => {
  const dataDir = folder(t);
  const old = signCheckpoint({ sequence: 1, hash: 'h', atMs: 1, previous: '' }, loadOrMakeSigningKey(dataDir));
  rmSync(join(dataDir, 'keys', 'audit-signing.pem'));
  const next = signCheckpoint(
    { sequence: 2, hash: 'h', atMs: 2, previous: old.signature },
    loadOrMakeSigningKey(dataDir),
  );
  const keys = readPublicKeys(publicKeyPath(dataDir));
  assert.deepEqual([keys.length, isSigned(old, keys), isSigned(next, keys)], [2, true, true]);
});

test('checkpoints are read as they were written; a line that a crash cut off is none', (t) => {
  const dataDir = folder(t);
  const checkpoints = signed(chain(4), 2, 4);
  for (const checkpoint of checkpoints) appendCheckpoint(dataDir, checkpoint);
  appendFileSync(checkpointsPath(dataDir), '{"sequence":');
  assert.deepEqual(readCheckpoints(checkpointsPath(dataDir)), checkpoints);
});
