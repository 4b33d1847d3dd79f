/** A data folder in which a secondary capture is held because of doubtful text, as the gateway leaves it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import { newInstanceId } from '../../src/core/identifier.ts';
import { LocalReviews } from '../../src/queue/local-review.ts';
import { LocalSpool } from '../../src/queue/local-spool.ts';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';
import { type BuildElement, buildPart10 } from '../build/data-set.ts';
import { receivedRecord } from '../build/record.ts';

const CAPTURE = '1.2.840.10008.5.1.4.1.1.7';

export interface HeldOptions {
  /** Elements between the UIDs and Rows, e.g. the device. */
  readonly device?: readonly BuildElement[];
  /** Elements behind Columns, e.g. frames and pixels. */
  readonly more?: readonly BuildElement[];
  readonly transferSyntax?: string;
  /** Beside the reason; two boxes unless said. */
  readonly detail?: string;
}

export async function heldInstance(t: TestContext, options: HeldOptions = {}) {
  const { device = [], more = [], transferSyntax = '1.2.840.10008.1.2.1' } = options;
  const dataDir = mkdtempSync(join(tmpdir(), 'lethe-review-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const spool = await LocalSpool.open({ dataDir, minFreeDiskBytes: 0 }, { clock: systemClock, random: systemRandom });
  t.after(() => spool.close());
  const store = new SqliteStore(join(dataDir, 'lethe.db'), systemClock);
  t.after(() => store.close());
  const writer = spool.writer();
  const id = newInstanceId(systemClock, systemRandom);
  const incoming = writer.begin(
    receivedRecord({ id, sopClassUid: CAPTURE, transferSyntaxUid: transferSyntax }),
    new Uint8Array(0),
  );
  const head: readonly BuildElement[] = [
    ['SOPClassUID', CAPTURE],
    ['SOPInstanceUID', '2.25.1'],
  ];
  const size: readonly BuildElement[] = [
    ['Rows', 480],
    ['Columns', 640],
  ];
  incoming.write(buildPart10([...head, ...device, ...size, ...more], { transferSyntax }));
  const spooled = await incoming.commit();
  await writer.close();
  await store.accept(spooled, undefined);
  await store.hold(id, 'DEID_TEXT_DOUBTFUL', options.detail ?? 'reason=doubtful boxes=10,20,300,40;5,6,7,8');
  return { id, deps: { store, spool, reviews: new LocalReviews(dataDir) }, dataDir };
}
