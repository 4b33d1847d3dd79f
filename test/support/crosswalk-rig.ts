/** A gateway that keeps originals encrypted to a public key, with the pair of keys in a folder of their own. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Rig, startRig } from './gateway-process.ts';

export interface CrosswalkRig {
  readonly rig: Rig;
  /** Folder for whatever the test keeps beside the gateway. */
  readonly dir: string;
  /** Path of the private key, PEM. */
  readonly privateKey: string;
}

export async function startCrosswalkRig(t: TestContext): Promise<CrosswalkRig> {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-keys-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const pair = generateKeyPairSync('x25519');
  const [publicKey, privateKey] = [join(dir, 'public.pem'), join(dir, 'private.pem')];
  writeFileSync(publicKey, pair.publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(privateKey, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const rig = await startRig(t, { configuration: { deidentification: { crosswalk: { publicKey } } } });
  return { rig, dir, privateKey };
}
