/** F29: what keeps our own SCU a good guest: associations that rest are used again, a busy peer is asked again later. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { connectPatiently, isTransientRejection, type Patience } from '../../src/dimse/patient-connect.ts';
import { REJECTION, type Rejection } from '../../src/dimse/pdu.ts';
import { ScuPool, type ScuPoolOptions } from '../../src/dimse/scu-pool.ts';
import { type ProposedContext, StorageScu } from '../../src/dimse/storage-scu.ts';
import { CT_IMAGE_STORAGE, EXPLICIT_LITTLE, IMPLICIT_LITTLE, VERIFICATION } from '../build/pdu.ts';
import { dataSet, TIMEOUT } from './conversation.ts';
import { type Hands, type Listener, startListener, until } from './listener.ts';

const CT_CONTEXT: ProposedContext = { abstractSyntax: CT_IMAGE_STORAGE, transferSyntaxes: [EXPLICIT_LITTLE] };
const MR_CONTEXT: ProposedContext = { ...CT_CONTEXT, abstractSyntax: '1.2.840.10008.5.1.4.1.1.4' };

function scuOptions(port: number, contexts: readonly ProposedContext[] = [CT_CONTEXT]) {
  return { host: '127.0.0.1', port, callingAeTitle: 'LETHE', calledAeTitle: 'LETHE', contexts };
}

async function rig(context: TestContext, options: Partial<ScuPoolOptions> = {}, hands: Hands = {}) {
  const listener = await startListener(context, {}, hands);
  const pool = new ScuPool({
    connect: (contexts) => StorageScu.connect(scuOptions(listener.port, contexts)),
    idleMs: 60_000,
    keepAliveMs: 60_000,
    restingMax: 2,
    ...options,
  });
  context.after(() => pool.close());
  return { ...listener, pool };
}

function count({ log }: Pick<Listener, 'log'>, event: string): number {
  return log.filter((line) => line.event === event).length;
}

async function stores(scu: StorageScu): Promise<number> {
  const operation = { sopClassUid: CT_IMAGE_STORAGE, sopInstanceUid: '1.2.3', transferSyntaxUid: EXPLICIT_LITTLE };
  return (await scu.store({ ...operation, dataSet: [dataSet('1.2.3')] })).status;
}

describe('F29: associations that rest', TIMEOUT, () => {
  test('one is used again for contexts that it proposed, and a new one is asked for others', async (context) => {
    const { pool, log } = await rig(context);
    for (let batch = 0; batch < 3; batch++) {
      const scu = await pool.take([CT_CONTEXT]);
      assert.equal(await stores(scu), 0);
      pool.giveBack(scu);
    }
    assert.equal(count({ log }, 'association.accepted'), 1);
    pool.giveBack(await pool.take([MR_CONTEXT]));
    assert.equal(count({ log }, 'association.accepted'), 2);
    assert.equal(await stores(await pool.take([CT_CONTEXT])), 0);
    assert.equal(count({ log }, 'association.accepted'), 2);
  });

  test('one that the peer ended is not used again', async (context) => {
    const { pool, log, scp } = await rig(context);
    pool.giveBack(await pool.take([CT_CONTEXT]));
    await scp.close(0);
    await assert.rejects(pool.take([CT_CONTEXT]), { code: 'DELIVERY_UNREACHABLE' });
    assert.equal(count({ log }, 'association.accepted'), 1);
  });

  test('what rests is kept alive by C-ECHO, and released when nobody wants it for long', async (context) => {
    const { pool, statuses, log } = await rig(context, { keepAliveMs: 20, idleMs: 200 });
    pool.giveBack(await pool.take([CT_CONTEXT]));
    await until(() => statuses.length >= 3);
    await until(() => count({ log }, 'association.released') === 1);
  });

  test('without rest each is released at once, and no more rest than may', async (context) => {
    const { pool, log } = await rig(context, { idleMs: 0 });
    pool.giveBack(await pool.take([CT_CONTEXT]));
    await until(() => count({ log }, 'association.released') === 1);
    const limited = await rig(context, { restingMax: 1 });
    const taken = [await limited.pool.take([CT_CONTEXT]), await limited.pool.take([CT_CONTEXT])];
    for (const scu of taken) limited.pool.giveBack(scu);
    await until(() => count(limited, 'association.released') === 1);
    await limited.pool.close();
    await until(() => count(limited, 'association.released') === 2);
  });

  test('Verification is proposed once, whoever asks for it', async (context) => {
    const { pool } = await rig(context);
    const echo = { abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LITTLE] };
    for (const contexts of [[echo], [CT_CONTEXT]]) {
      const scu = await pool.take(contexts);
      assert.equal(scu.contexts.filter(({ abstractSyntax }) => abstractSyntax === VERIFICATION).length, 1);
    }
  });
});

describe('F29: a peer that rejects', TIMEOUT, () => {
  const patience: Patience = {
    random: { fraction: () => 0.5, bytes: () => new Uint8Array(0) },
    attemptsMax: 4,
    firstDelayMs: 2,
    delayMsMax: 4,
  };

  async function attempts(context: TestContext, rejections: readonly Rejection[]) {
    let asked = 0;
    const { port } = await startListener(context, {}, { admit: () => rejections[asked++] });
    const outcome = await connectPatiently(scuOptions(port), patience).then(
      (scu) => scu,
      (error: unknown) => error,
    );
    return { asked, outcome };
  }

  test('for the moment is asked again', async (context) => {
    const { asked, outcome } = await attempts(context, [REJECTION.temporaryCongestion, REJECTION.localLimitExceeded]);
    assert.equal(asked, 3);
    assert.ok(outcome instanceof StorageScu);
    await outcome.release();
  });

  test('for good is not, and a limit of attempts holds', async (context) => {
    const permanent = await attempts(context, [REJECTION.noReasonGiven]);
    assert.equal(permanent.asked, 1);
    assert.equal(isTransientRejection(permanent.outcome), false);
    const busy = await attempts(
      context,
      Array.from({ length: 9 }, () => REJECTION.temporaryCongestion),
    );
    assert.equal(busy.asked, 4);
    assert.equal(isTransientRejection(busy.outcome), true);
  });

  test('a signal ends the waiting', async (context) => {
    const { port } = await startListener(context, {}, { admit: () => REJECTION.temporaryCongestion });
    const stop = new AbortController();
    const connecting = connectPatiently(
      { ...scuOptions(port), signal: stop.signal },
      { ...patience, firstDelayMs: 60_000, delayMsMax: 60_000 },
    );
    setTimeout(() => stop.abort(), 50);
    await assert.rejects(connecting, { code: 'DIMSE_ASSOCIATION_ABORTED' });
  });
});
