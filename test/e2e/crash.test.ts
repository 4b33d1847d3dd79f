/**
 * Three senders, a backend on a bad day, and a gateway that is killed, stopped, locked out of its store or set to another
 * time in the middle of it: what was acknowledged is delivered, nothing unsafe ever is, duplicates are recognised.
 */
import assert from 'node:assert/strict';
import { globSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BAD_DAY, Campaign, IMPATIENT } from '../support/campaign.ts';
import { type Rig, startRig } from '../support/gateway-process.ts';
import { skipWithoutProgram } from '../support/peers.ts';

const LONG = process.env['LETHE_LONG'] === '1';

/** Ends the gateway after a random while: sometimes before anything is sent, sometimes in the middle of starting. */
async function interrupt(rig: Rig, campaign: Campaign, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  const sending = campaign.send();
  await Promise.race([sleep(Math.random() * 1200), campaign.isOver ? sleep(1200) : sending]);
  const code = await rig.kill(signal);
  if (signal === 'SIGTERM') assert.equal(code, 0);
  await sending;
  if (signal === 'SIGKILL' && Math.random() < 0.3) {
    const starting = rig.start().catch(() => undefined);
    await sleep(Math.random() * 900);
    await rig.kill('SIGKILL');
    await starting;
  }
  await rig.start();
}

async function campaignOf(t: TestContext, count: number, env: Readonly<Record<string, string>> = {}) {
  const rig = await startRig(t, { failures: BAD_DAY, destination: IMPATIENT, env });
  return { rig, campaign: new Campaign(rig, count) };
}

const KILLS = LONG ? 100 : 10;
/** A hundred kills take four minutes beside other work: close to what the runner grants a test. */
const PATIENCE = LONG ? { timeout: 30 * 60_000 } : {};

test(
  `kill -9 at random moments, ${KILLS} times: every acknowledged instance is delivered, and safe`,
  PATIENCE,
  async (t) => {
    const { rig, campaign } = await campaignOf(t, KILLS * 30);
    for (let round = 0; round < KILLS; round++) await interrupt(rig, campaign, 'SIGKILL');
    await campaign.conclude();
  },
);

/** So long a settled instance is known: the least that a configuration may say, 43 s. Only the long form lasts longer. */
const FORGETFUL = {
  dicom: { commitmentHours: 0.01 },
  retention: { receivedMinutes: 0, preparedMinutes: 0, historyDays: 0.0005, ledgerDays: 0.0005 },
};

if (LONG)
  test(
    `kill -9 ${KILLS} times while history is forgotten and the audit moves to files: nothing is lost, all adds up`,
    PATIENCE,
    async (t) => {
      const rig = await startRig(t, { failures: BAD_DAY, destination: IMPATIENT, configuration: FORGETFUL });
      const campaign = new Campaign(rig, KILLS * 30);
      for (let round = 0; round < KILLS; round++) await interrupt(rig, campaign, 'SIGKILL');
      await campaign.conclude({ forgets: true });
      const database = new DatabaseSync(join(rig.dataDir, 'lethe.db'), { readOnly: true });
      const { pruned, archived } = database.prepare('SELECT pruned, archived FROM history').get() ?? {};
      database.close();
      assert.ok(Number(pruned) > 0 && Number(archived) > 0, `${pruned} forgotten, ${archived} entries in files`);
    },
  );

const STOPS = LONG ? 20 : 2;

test(`SIGTERM at random moments, ${STOPS} times: it ends with 0 and nothing is lost`, async (t) => {
  const { rig, campaign } = await campaignOf(t, STOPS * 60);
  for (let round = 0; round < STOPS; round++) await interrupt(rig, campaign, 'SIGTERM');
  await campaign.conclude();
});

test('a store that another process locks: waited for, then refused as transient, then taken; nothing lost', async (t) => {
  const { rig, campaign } = await campaignOf(t, 90);
  const other = new DatabaseSync(join(rig.dataDir, 'lethe.db'));
  t.after(() => other.close());
  const sendLocked = async (instances: number, lockedMs: number) => {
    other.exec('PRAGMA busy_timeout = 1000; BEGIN IMMEDIATE');
    const sending = campaign.send(instances);
    await sleep(lockedMs);
    await rig.get('/healthz'); // what waits for the store blocks nothing else
    other.exec('ROLLBACK');
    await sending;
  };
  await sendLocked(30, 500);
  assert.deepEqual([campaign.acknowledged.size, campaign.refusals.size], [30, 0]);
  await sendLocked(60, 6500);
  assert.deepEqual([...campaign.refusals.keys()].toSorted(), ['A702', 'HTTP 503 Retry-After']);
  await campaign.conclude();
});

/** Debian puts it into a folder named after the processor. */
const [FAKETIME = ''] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1');

test('a clock that jumps an hour back, a month ahead and back again, with restarts between: nothing lost, nothing stuck', {
  skip: skipWithoutProgram('faketime'),
}, async (t) => {
  const file = join(tmpdir(), `lethe-time-${process.pid}`);
  t.after(() => rmSync(file, { force: true }));
  writeFileSync(file, '+0');
  const { rig, campaign } = await campaignOf(t, 120, {
    LD_PRELOAD: FAKETIME,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  });
  for (const jump of ['-3600', '+2592000', '-86400']) {
    const sending = campaign.send();
    await sleep(300);
    writeFileSync(file, jump);
    await sending;
    await rig.kill('SIGKILL');
    await rig.start();
  }
  await campaign.conclude();
});
