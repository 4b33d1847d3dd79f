/**
 * The plug is pulled at every Success that was sent and at moments between: what was acknowledged is there after the next
 * start, whole, from flushed data alone. This is also the proof that the flush is really done before the answer: the
 * flushes are seen by strace in a gateway that runs as it always does, and only they count.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import { toLetheError } from '../../src/core/errors.ts';
import { silentLogger } from '../../src/core/log.ts';
import { COMMAND, parseCommand, STATUS } from '../../src/dimse/command.ts';
import { manifestFor } from '../../src/gateway/manifests.ts';
import { recover } from '../../src/gateway/recover.ts';
import { LocalSpool } from '../../src/queue/local-spool.ts';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';
import type { InstanceRow } from '../../src/queue/store.ts';
import { Campaign } from '../support/campaign.ts';
import { startRig } from '../support/gateway-process.ts';
import { skipWithoutProgram } from '../support/peers.ts';
import { Recording, trace } from '../support/power-cut.ts';

const LONG = process.env['LETHE_LONG'] === '1';
const INSTANCES = LONG ? 240 : 36;
const DRAWS = LONG ? 10 : 2;
/** The long form replays some two thousand cuts: more than the runner grants a test. */
const PATIENCE = LONG ? { timeout: 30 * 60_000 } : {};
const BETWEEN = 15;

/** SOP Instance UIDs of the C-STORE responses with status Success in what a socket was sent (PS3.8 §9.3.5, PS3.7 §9.3.1.2). */
function acknowledgedIn(data: Buffer): string[] {
  const uids: string[] = [];
  for (let at = 0; at + 12 <= data.length; at += 6 + data.readUInt32BE(at + 2)) {
    if (data[at] !== 0x04) continue; // P-DATA-TF; our commands are one PDV in one PDU
    const command = parseCommand(data.subarray(at + 12, at + 10 + data.readUInt32BE(at + 6)));
    if (command.commandField === COMMAND['C-STORE-RSP'] && command.status === STATUS.success)
      uids.push(command.affectedSopInstanceUid ?? '');
  }
  return uids;
}

test('a power cut at any moment: every acknowledged instance is there, from what was flushed alone', {
  skip: skipWithoutProgram('strace'),
  ...PATIENCE,
}, async (t) => {
  const rig = await startRig(t, { configuration: { retention: { receivedMinutes: 0, preparedMinutes: 0 } } });
  const before = mkdtempSync(join(tmpdir(), 'lethe-before-'));
  t.after(() => rmSync(before, { recursive: true, force: true }));
  cpSync(rig.dataDir, before, { recursive: true });
  const traceFile = join(rig.dir, 'trace');
  const tracing = await trace(rig.pid, traceFile);
  await new Campaign(rig, INSTANCES).send();
  await rig.quiet();
  await sleep(2500); // erasing follows
  await tracing.stop();
  await rig.kill('SIGKILL');

  const recording = new Recording(rig.dataDir, before, traceFile);
  const answers = recording.steps.flatMap((step) =>
    step.kind === 'sent' ? acknowledgedIn(step.data).map((uid) => ({ uid, at: step.began })) : [],
  );
  assert.equal(new Set(answers.map(({ uid }) => uid)).size, Math.ceil((INSTANCES * 2) / 3), 'all that came over DIMSE');
  const last = Math.max(...recording.steps.map(({ ended }) => ended));
  const cuts = [
    ...answers.map(({ at }) => at),
    ...Array.from({ length: BETWEEN }, () => Math.floor(Math.random() * last)),
    last,
  ];
  for (const at of cuts) {
    const acknowledged = answers.filter((answer) => answer.at <= at).map(({ uid }) => uid);
    await verify(recording, { at, acknowledged, survives: () => false });
    for (let draw = 0; draw < DRAWS; draw++)
      await verify(recording, { at, acknowledged, survives: () => Math.random() < 0.5 });
  }
});

/** Prepared output is not flushed: whatever the cut left of it, what can be opened is what was written. */
function assertWholeOrRefused(spool: LocalSpool, { location, manifest }: NonNullable<InstanceRow['prepared']>): void {
  for (const { file, bytes } of manifestFor(manifest, 'cloud').images) {
    let image: Buffer;
    try {
      const source = spool.openPrepared(location, file);
      image = Buffer.from(source.read(0, source.size));
      source.close();
    } catch (error) {
      assert.equal(toLetheError(error).code, 'SPOOL_CORRUPT');
      continue;
    }
    assert.equal(image.length, bytes);
    assert.deepEqual(
      [image.readUInt16BE(0), image.readUInt16BE(bytes - 2)],
      [0xffd8, 0xffd9],
      'SOI and EOI of ITU-T T.81',
    );
    assert.equal(image.includes(Buffer.alloc(1024)), false, 'no block of zeros in its middle');
  }
}

async function verify(
  recording: Recording,
  cut: { readonly at: number; readonly acknowledged: readonly string[]; survives(): boolean },
): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'lethe-cut-'));
  try {
    recording.materialize(cut.at, dataDir, cut.survives);
    const spool = await LocalSpool.open({ dataDir, minFreeDiskBytes: 0 }, { clock: systemClock, random: systemRandom });
    const store = new SqliteStore(join(dataDir, 'lethe.db'), systemClock);
    try {
      const recovery = await recover({
        spool,
        store,
        logger: silentLogger,
        idempotent: () => true,
        wantsObject: () => false,
        otherContent: 'hold',
      });
      assert.equal(recovery.lost, 0, `line ${cut.at}`);
      for (const uid of cut.acknowledged) {
        const row = await store.findBySopInstanceUid('default', uid);
        assert.ok(row !== undefined, `${uid} is missing after a cut at line ${cut.at}`);
        if (row.settledAtMs !== undefined) continue; // delivered, on record
        assert.ok(
          row.location !== undefined && (await spool.digestOf(row.location)) !== undefined,
          `${uid} is not whole`,
        );
        if (row.prepared !== undefined) assertWholeOrRefused(spool, row.prepared);
      }
    } finally {
      await store.close();
      await spool.close();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}
