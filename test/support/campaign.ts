/**
 * A campaign against a gateway that is treated badly: three senders (two over DIMSE, one over HTTP) that keep what they
 * were told and send again what was not acknowledged, a backend that fails in every way the reference backend knows, and
 * the verdict at the end. What was acknowledged is never sent again, so an instance that the gateway lost shows as one
 * that is missing at the backend.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { wholeChain } from '../../src/audit/archive.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import type { OrderedFailure } from '../../src/backend/failures.ts';
import { isTaken } from '../../src/cli/send.ts';
import { storeFiles } from '../../src/cli/store-files.ts';
import { bytesSource } from '../../src/core/bytes.ts';
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';
import { ctSlice } from '../build/ct-slice.ts';
import { buildPart10 } from '../build/data-set.ts';
import { everythingUnder, type Flow, type Rig } from './gateway-process.ts';

const CANARY = 'Zzyzxcanary';
const STUDY_INSTANCES = 40;
const SERIES_INSTANCES = 20;
/** Sent again at the end, though acknowledged: to be recognised. */
const REPEATED = 20;

/** Each refusal counts: nothing is asked for again behind our back. */
const NONE = { random: systemRandom, attemptsMax: 1, firstDelayMs: 0, delayMsMax: 0 };

/** Everything a backend does to its clients on a bad day, a third of the time. */
export const BAD_DAY: readonly OrderedFailure[] = [
  { failure: { kind: 'status', status: 500 }, share: 0.06 },
  { failure: { kind: 'status', status: 503, retryAfterSeconds: 1 }, share: 0.04 },
  { failure: { kind: 'status', status: 429, retryAfterSeconds: 1 }, share: 0.04 },
  { failure: { kind: 'status', status: 400 }, share: 0.05 },
  { failure: { kind: 'hang' }, share: 0.03 },
  { failure: { kind: 'reset' }, share: 0.06 },
  { failure: { kind: 'accept-then-reset' }, share: 0.08 },
];

/** Short patience, so that what hangs is part of a test that takes seconds. */
export const IMPATIENT = { timeoutSeconds: 2 };

export class Campaign {
  readonly #rig: Rig;
  readonly #count: number;
  readonly acknowledged = new Set<number>();
  /** What senders were told instead of Success, by status or reason. */
  readonly refusals = new Map<string, number>();

  constructor(rig: Rig, count: number) {
    this.#rig = rig;
    this.#count = count;
  }

  get isOver(): boolean {
    return this.acknowledged.size === this.#count;
  }

  /** Sends what is not acknowledged yet, `most` at most; ends when all was tried once or the gateway is gone. */
  async send(most = Number.POSITIVE_INFINITY): Promise<void> {
    const rest = Array.from({ length: this.#count }, (_, number) => number).filter(
      (number) => !this.acknowledged.has(number),
    );
    await this.#sendAll(rest.slice(0, most));
  }

  async #sendAll(numbers: readonly number[]): Promise<void> {
    const shares = [0, 1, 2].map((sender) => numbers.filter((number) => number % 3 === sender));
    await Promise.all([
      this.#overDimse(shares[0] ?? [], { callingAeTitle: 'CT_ONE', parallel: 1 }),
      this.#overDimse(shares[1] ?? [], { callingAeTitle: 'CT_TWO', parallel: 2 }),
      this.#overHttp(shares[2] ?? []),
    ]);
  }

  async #overDimse(numbers: readonly number[], sender: { callingAeTitle: string; parallel: number }): Promise<void> {
    const items = numbers.map((number) => ({
      name: String(number),
      open: () => ({ ...bytesSource(instance(number)), close: () => undefined }),
    }));
    const options = { host: '127.0.0.1', port: this.#rig.dicomPort, calledAeTitle: 'LETHE', patience: NONE, ...sender };
    for await (const result of storeFiles(items, options)) {
      if (isTaken(result)) this.acknowledged.add(Number(result.name));
      else this.#refused(result.error?.code ?? (result.status ?? 0).toString(16).toUpperCase());
    }
  }

  async #overHttp(numbers: readonly number[]): Promise<void> {
    for (const number of numbers) {
      try {
        const response = await fetch(`http://127.0.0.1:${this.#rig.httpPort}/receive_dicom`, {
          method: 'POST',
          headers: { 'content-type': 'application/dicom' },
          body: instance(number),
        });
        await response.arrayBuffer();
        if (response.ok) this.acknowledged.add(number);
        else this.#refused(`HTTP ${response.status}${response.headers.has('retry-after') ? ' Retry-After' : ''}`);
      } catch {
        this.#refused('HTTP connection');
      }
    }
  }

  #refused(how: string): void {
    this.refusals.set(how, (this.refusals.get(how) ?? 0) + 1);
  }

  /** The backend is well again, everything is sent, what was held because of the backend is released; then the count. */
  async conclude({ forgets = false } = {}): Promise<void> {
    this.#rig.backend.failures.clear();
    for (let attempt = 0; attempt < 10 && !this.isOver; attempt++) await this.send();
    assert.ok(
      this.isOver,
      `${this.acknowledged.size} of ${this.#count} were taken; ${JSON.stringify([...this.refusals])}`,
    );
    // What a gateway has forgotten is new to it, and would be counted again.
    if (!forgets) await this.#sendAll(Array.from({ length: REPEATED }, () => Math.floor(Math.random() * this.#count)));
    await this.#rig.quiet();
    await this.#retryRefused();
    const counts = await this.#rig.quiet();
    await this.#verify(counts);
  }

  /** The backend refused some for good (400), which ends in held; a person sends them again. */
  async #retryRefused(): Promise<void> {
    for (;;) {
      const path = '/api/v1/instances?deliveryState=held&limit=200';
      const { instances } = await this.#rig.get<{ instances: { id: string }[] }>(path);
      if (instances.length === 0) return;
      for (const { id } of instances) await this.#rig.post(`/api/v1/instances/${id}/retry`);
      await this.#rig.quiet();
    }
  }

  async #verify(counts: Flow): Promise<void> {
    assert.equal(counts.held, 0);
    assert.equal(counts.prepared, this.#count, `duplicates are recognised: ${JSON.stringify(counts)}`);
    assert.equal(counts.deliveries['cloud']?.['delivered'], this.#count);
    const store = new SqliteStore(join(this.#rig.dataDir, 'lethe.db'), systemClock);
    const lines = await store.ledger({ limit: 1000 });
    const chain = await verifyAudit(wholeChain(store, this.#rig.dataDir), [], []).finally(() => store.close());
    assert.equal(chain.whole, true, JSON.stringify(chain));
    for (const line of lines) assert.equal(line.received, line.delivered, JSON.stringify(line));
    assert.equal(
      lines.reduce((sum, { received }) => sum + received, 0),
      this.#count,
    );
    const { studies } = (await (await fetch(`http://127.0.0.1:${this.#rig.backend.port}/v1/studies`)).json()) as {
      studies: { series: { images: { imageInstanceUid: string }[] }[] }[];
    };
    const images = studies.flatMap(({ series }) => series.flatMap((one) => one.images));
    assert.equal(
      new Set(images.map(({ imageInstanceUid }) => imageInstanceUid)).size,
      this.#count,
      'nothing is missing',
    );
    assert.equal(images.length, this.#count);
    assert.equal(everythingUnder(this.#rig.backendDir).toString('latin1').includes(CANARY), false);
    assert.equal(this.#rig.log().includes(CANARY), false);
    assert.doesNotMatch(this.#rig.log(), /"lost":[1-9]/);
  }
}

function instance(number: number): Uint8Array<ArrayBuffer> {
  const pixels = Uint8Array.from({ length: 64 * 64 * 2 }, (_, index) => (index * 7 + number) & 0x0f);
  const study = Math.floor(number / STUDY_INSTANCES);
  return new Uint8Array(
    buildPart10(
      ctSlice({
        sopInstanceUid: `2.25.7700${number}`,
        studyInstanceUid: `2.25.8800${study}`,
        seriesInstanceUid: `2.25.9900${Math.floor(number / SERIES_INSTANCES)}`,
        patientName: `${CANARY}^N${study}`,
        patientId: `${CANARY}ID${study}`,
        size: 64,
        pixels,
      }),
    ),
  );
}
