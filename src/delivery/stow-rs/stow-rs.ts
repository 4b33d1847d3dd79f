/**
 * Destination type `stow-rs`: the Store transaction of DICOMweb (PS3.18 §10.5), `POST {url}/studies`. A batch is one
 * request, streamed; each instance is judged by what the Store Instances Response Module says of it:
 *
 *   200  all stored                 202  some, or with warnings          409  none
 *
 * No status alone is a receipt: servers are known to answer 200 with a module that mentions nothing because they
 * understood no part of the request. What the answer does not name is owed again; only an empty body with 200 is
 * believed. Idempotent: storing an instance again is success or Duplicate SOP Instance (0111).
 *
 * API: `stowRsDestination(name, options) -> Destination`; `url` is the DICOMweb root, e.g. `https://pacs/dicom-web`.
 */
import { type Clock, type Random, systemClock, systemRandom } from '../../core/clock.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { DeliverableInstance, DeliveryOutcome, Destination } from '../destination.ts';
import { type HttpAnswer, HttpClient, type HttpOptions } from '../http-client.ts';
import { outcomeOfAnswer, outcomeOfError } from '../http-failure.ts';
import { type Exchange, Isolation } from '../isolation.ts';
import { multipartOf } from './multipart.ts';
import { parseStoreResponse } from './store-response.ts';

export function stowRsDestination(
  name: string,
  options: HttpOptions,
  clock: Clock = systemClock,
  random: Random = systemRandom,
): Destination {
  return new StowRs(name, options, clock, random);
}

/** A module with a few hundred bytes an instance; a batch of ten thousand fits. */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

const UNMENTIONED: DeliveryOutcome = {
  kind: 'failed',
  code: 'DELIVERY_BUSY',
  detail: 'the answer does not mention the instance',
};

type Batch = readonly DeliverableInstance[];

class StowRs implements Destination {
  readonly name: string;
  readonly type = 'stow-rs';
  readonly idempotent = true;
  readonly #client: HttpClient;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #isolation = new Isolation();

  constructor(name: string, options: HttpOptions, clock: Clock, random: Random) {
    this.name = name;
    this.#client = new HttpClient(options);
    this.#clock = clock;
    this.#random = random;
  }

  async deliver(batch: Batch, signal: AbortSignal): Promise<DeliveryOutcome[]> {
    const all = batch.map((_instance, member) => member);
    const exchange: Exchange<readonly number[]> = {
      members: (members) => members,
      split: (members) => members.map((member) => [member]),
      attempt: (members) => this.#attemptNamed(members, batch, signal),
    };
    const outcomes = await this.#isolation.deliver(batch, batch.length === 0 ? [] : [all], exchange, signal);
    return batch.map((_instance, member) => outcomes.get(member) ?? { kind: 'failed', code: 'INVARIANT' });
  }

  /** Any answer but that of a gateway with nothing behind it; servers differ in what they say to OPTIONS. */
  async probe(signal: AbortSignal): Promise<ErrorCode | undefined> {
    try {
      const { status } = await this.#client.request({ method: 'OPTIONS', path: '/studies', signal });
      if (status === 401 || status === 407) return 'DELIVERY_AUTH_FAILED';
      return [502, 503, 504].includes(status) ? 'DELIVERY_BUSY' : undefined;
    } catch (error) {
      return outcomeOfError(error).code;
    }
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  /** Who was not mentioned among several is asked about alone: a server may be unable to name what it could not read. */
  async #attemptNamed(
    members: readonly number[],
    batch: Batch,
    signal: AbortSignal,
  ): Promise<DeliveryOutcome | DeliveryOutcome[]> {
    const result = await this.#attempt(members, batch, signal);
    if (!Array.isArray(result) || members.length === 1) return result;
    const outcomes: DeliveryOutcome[] = [];
    for (const [index, outcome] of result.entries()) {
      const member = members[index];
      const alone =
        outcome === UNMENTIONED && member !== undefined ? await this.#attempt([member], batch, signal) : outcome;
      outcomes.push(Array.isArray(alone) ? (alone[0] ?? outcome) : alone);
    }
    return outcomes;
  }

  async #attempt(
    members: readonly number[],
    batch: Batch,
    signal: AbortSignal,
  ): Promise<DeliveryOutcome | DeliveryOutcome[]> {
    try {
      const instances = members.flatMap((member) => batch[member] ?? []);
      const boundary = Buffer.from(this.#random.bytes(24)).toString('hex');
      const body = multipartOf(instances, boundary);
      const answer = await this.#client.request({
        method: 'POST',
        path: '/studies',
        headers: { 'content-type': body.contentType, accept: 'application/dicom+json' },
        body,
        signal,
        answerBytesMax: ANSWER_BYTES_MAX,
      });
      return this.#judge(answer, instances);
    } catch (error) {
      return outcomeOfError(error);
    }
  }

  #judge(answer: HttpAnswer, instances: Batch): DeliveryOutcome | DeliveryOutcome[] {
    const { status } = answer;
    if (status !== 200 && status !== 202 && status !== 409) return outcomeOfAnswer(answer, this.#clock.nowMs());
    const response = parseStoreResponse(answer.body);
    if (response !== undefined) {
      const alone = instances.length === 1 ? response.unnamed : undefined;
      return instances.map(({ manifest }) => response.named.get(manifest.sopInstanceUid) ?? alone ?? UNMENTIONED);
    }
    return status === 200 ? instances.map((instance) => unreadableSuccess(answer, instance)) : refused(status);
  }
}

/** An empty body, or a module in XML (PS3.19 Annex A), which is only searched for the instance's UID. */
function unreadableSuccess({ body }: HttpAnswer, { manifest }: DeliverableInstance): DeliveryOutcome {
  const named = body.length === 0 || body.includes(`>${manifest.sopInstanceUid}<`);
  return named ? { kind: 'delivered', receipt: 'status=200' } : UNMENTIONED;
}

/** Together it is a refusal, which is taken apart; alone it is held. */
function refused(status: number): DeliveryOutcome {
  return { kind: 'failed', code: 'DELIVERY_REJECTED', detail: `status=${status} without a response module` };
}
