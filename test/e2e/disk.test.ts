/**
 * A disk that is really full, a quota, a file system that turns read-only, a store without room: the senders are told so as
 * something that passes, nothing that was acknowledged is lost, and with room it goes on without a restart.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BAD_DAY, Campaign, IMPATIENT } from '../support/campaign.ts';
import { type Rig, startRig } from '../support/gateway-process.ts';
import { skipWithoutProgram } from '../support/peers.ts';

const MEGABYTE = 1024 * 1024;
/** Everything that is told to a sender while there is no room: transient, by the error table. */
const TRANSIENT = /^(A70[012]|HTTP 503 Retry-After|DIMSE_ASSOCIATION_REJECTED)$/;

interface Mount {
  readonly dir: string;
  /** Fills what is free. */
  fill(): void;
  free(): void;
}

/** A tmpfs of its own; undefined where mounting is not allowed. */
function tmpfs(t: TestContext, megabytes: number): Mount | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', dir]).status === 0;
  t.after(() => {
    if (mounted) spawnSync('umount', ['-l', dir]);
    rmSync(dir, { recursive: true, force: true });
  });
  const ballast = join(dir, 'ballast');
  return mounted
    ? {
        dir,
        fill: () => void spawnSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=4096']),
        free: () => rmSync(ballast, { force: true }),
      }
    : undefined;
}

async function startOn(t: TestContext, dataDir: string, minFreeDiskBytes: number): Promise<Rig> {
  return startRig(t, {
    failures: BAD_DAY,
    destination: IMPATIENT,
    configuration: { dataDir, limits: { minFreeDiskBytes } },
  });
}

/** Sends into whatever `during` does, then in good conditions. */
async function endure(campaign: Campaign, during: () => Promise<void>, recover: () => void): Promise<void> {
  await campaign.send(30);
  assert.equal(campaign.acknowledged.size, 30, JSON.stringify([...campaign.refusals]));
  await during();
  await campaign.send(90);
  assert.ok(campaign.refusals.size > 0, 'it was noticed');
  for (const how of campaign.refusals.keys()) assert.match(how, TRANSIENT);
  recover();
  await sleep(1100); // free space is asked for once a second
  await campaign.conclude();
}

test('a full file system, above its mark to the last byte: refused as transient, nothing lost, and it goes on', async (t) => {
  const disk = tmpfs(t, 48);
  if (disk === undefined) return t.skip('mounting a small file system is not allowed here');
  const rig = await startOn(t, join(disk.dir, 'data'), 0);
  await endure(
    new Campaign(rig, 180),
    async () => disk.fill(),
    () => disk.free(),
  );
});

test('below the mark: associations are rejected as transient and HTTP answers 503, before the disk is full', async (t) => {
  const disk = tmpfs(t, 64);
  if (disk === undefined) return t.skip('mounting a small file system is not allowed here');
  const rig = await startOn(t, join(disk.dir, 'data'), 8 * MEGABYTE);
  const campaign = new Campaign(rig, 120);
  const belowMark = async () => {
    spawnSync('dd', ['if=/dev/zero', `of=${join(disk.dir, 'ballast')}`, `bs=${MEGABYTE}`, 'count=54']);
    await sleep(1100);
  };
  await endure(campaign, belowMark, () => disk.free());
  assert.ok(campaign.refusals.has('DIMSE_ASSOCIATION_REJECTED'), JSON.stringify([...campaign.refusals]));
  assert.ok(campaign.refusals.has('HTTP 503 Retry-After'));
});

test('a quota on file sizes that is reached: refused as transient, nothing lost, and it goes on', {
  skip: skipWithoutProgram('prlimit'),
}, async (t) => {
  const rig = await startRig(t, { failures: BAD_DAY, destination: IMPATIENT });
  const limit = (bytes: string) => spawnSync('prlimit', ['--pid', String(rig.pid), `--fsize=${bytes}:unlimited`]);
  await endure(
    new Campaign(rig, 180),
    async () => void limit('4096'),
    () => void limit('unlimited'),
  );
});

test('a store without room while the spool has some: refused as transient, nothing lost, and it goes on', async (t) => {
  const disk = tmpfs(t, 8);
  if (disk === undefined) return t.skip('mounting a small file system is not allowed here');
  const dataDir = mkdtempSync(join(tmpdir(), 'lethe-disk-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  symlinkSync(join(disk.dir, 'lethe.db'), join(dataDir, 'lethe.db'));
  const rig = await startOn(t, dataDir, 0);
  await endure(
    new Campaign(rig, 180),
    async () => disk.fill(),
    () => disk.free(),
  );
});

test('a file system that turns read-only after an error: refused as transient; after a repair and a start nothing is lost', async (t) => {
  const disk = ext4(t);
  if (disk === undefined) return t.skip('mounting an ext4 image is not allowed here');
  const rig = await startOn(t, join(disk.dir, 'data'), 0);
  const campaign = new Campaign(rig, 120);
  await campaign.send(60);
  assert.equal(campaign.acknowledged.size, 60);
  disk.turnReadOnly();
  await campaign.send(60);
  assert.equal(campaign.acknowledged.size, 60, 'nothing is acknowledged that cannot be kept');
  for (const how of campaign.refusals.keys()) assert.match(how, TRANSIENT);
  await rig.kill('SIGKILL');
  disk.repair();
  await rig.start();
  await campaign.conclude();
});

/** An ext4 image, mounted so that an error makes it read-only under open files; undefined where that is not allowed. */
function ext4(t: TestContext): { dir: string; turnReadOnly(): void; repair(): void } | undefined {
  const root = mkdtempSync(join(tmpdir(), 'lethe-ext4-'));
  const [image, dir] = [join(root, 'image'), join(root, 'mounted')];
  mkdirSync(dir);
  writeFileSync(image, '');
  truncateSync(image, 64 * MEGABYTE);
  const mount = () => spawnSync('mount', ['-o', 'loop,errors=remount-ro', image, dir]).status === 0;
  t.after(() => {
    spawnSync('umount', ['-l', dir]);
    rmSync(root, { recursive: true, force: true });
  });
  if (spawnSync('mkfs.ext4', ['-q', image]).status !== 0 || !mount()) return undefined;
  const source = spawnSync('findmnt', ['-n', '-o', 'SOURCE', dir], { encoding: 'utf8' }).stdout.trim();
  const trigger = `/sys/fs/ext4/${source.split('/').at(-1)}/trigger_fs_error`;
  if (!existsSync(trigger) || statSync(dir).dev === statSync(root).dev) return undefined;
  return {
    dir,
    turnReadOnly: () => writeFileSync(trigger, '1'),
    repair: () => {
      spawnSync('umount', [dir]);
      spawnSync('e2fsck', ['-fy', image]);
      assert.ok(mount());
    },
  };
}
