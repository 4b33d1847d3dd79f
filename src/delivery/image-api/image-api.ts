/**
 * Destination type `image-api`: `POST {url}/v1/images/upload` as the backend contract demands.
 *
 * A batch becomes one request a series and study, checked against the contract in force, streamed, and judged by its
 * answer: 200 with `{success:"ok"}` is the receipt. Refusals of several instances together are taken apart (`Isolation`).
 *
 * Idempotent: the backend knows an image by its UID; 409 with the digests of what we sent is a receipt too.
 *
 * API: `imageApiDestination(name, options) -> Destination`.
 * @throws (creation) CONFIG_UNREADABLE, CONFIG_INVALID for the OpenAPI document
 */

import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { type Clock, systemClock } from '../../core/clock.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { DeliverableInstance, DeliveryOutcome, Destination } from '../destination.ts';
import { type HttpAnswer, type HttpBody, HttpClient, type HttpOptions } from '../http-client.ts';
import { outcomeOfAnswer, outcomeOfError } from '../http-failure.ts';
import { Isolation } from '../isolation.ts';
import { base64Length, dataHead, imageDigest, uploadBody } from './body.ts';
import { type BackendContract, readContract, UPLOAD_PATH } from './contract.ts';
import {
  idempotencyKey,
  membersOf,
  payloadOf,
  planUploads,
  splitByMember,
  type UploadLimits,
  type UploadPlan,
} from './payload.ts';

export interface ImageApiOptions extends HttpOptions {
  /** Path of the OpenAPI document in force; ours when absent. */
  readonly openapi?: string;
  readonly gzip?: boolean;
  /** Of one request. */
  readonly maxImages?: number;
  readonly maxBytes?: number;
}

const LIMITS: UploadLimits = { imagesMax: 32, bytesMax: 64 * 1024 * 1024 };
/** JPEG and PNG do not get smaller, only their base64 does: the fastest level takes nearly all of that. */
const GZIP_LEVEL = 1;

export function imageApiDestination(name: string, options: ImageApiOptions, clock: Clock = systemClock): Destination {
  return new ImageApi(name, options, readContract(options.openapi), clock);
}

type Batch = readonly DeliverableInstance[];

class ImageApi implements Destination {
  readonly name: string;
  readonly type = 'image-api';
  readonly idempotent = true;
  readonly #client: HttpClient;
  readonly #contract: BackendContract;
  readonly #limits: UploadLimits;
  readonly #gzip: boolean;
  readonly #clock: Clock;
  readonly #isolation = new Isolation();

  constructor(name: string, options: ImageApiOptions, contract: BackendContract, clock: Clock) {
    this.name = name;
    this.#client = new HttpClient(options);
    this.#contract = contract;
    this.#limits = {
      imagesMax: Math.min(options.maxImages ?? LIMITS.imagesMax, contract.imagesMax ?? Number.POSITIVE_INFINITY),
      bytesMax: options.maxBytes ?? LIMITS.bytesMax,
    };
    this.#gzip = options.gzip ?? false;
    this.#clock = clock;
  }

  async deliver(batch: Batch, signal: AbortSignal): Promise<DeliveryOutcome[]> {
    const manifests = batch.map((instance) => instance.manifest);
    const exchange = {
      members: membersOf,
      split: splitByMember,
      attempt: (plan: UploadPlan) => this.#attempt(plan, batch, signal),
    };
    const outcomes = await this.#isolation.deliver(batch, planUploads(manifests, this.#limits), exchange, signal);
    return batch.map((_instance, member) => outcomes.get(member) ?? { kind: 'failed', code: 'OBJECT_HAS_NO_IMAGE' });
  }

  /** Undefined when it answers: a backend need not serve anything but the upload, so any status but 5xx will do. */
  async probe(signal: AbortSignal): Promise<ErrorCode | undefined> {
    try {
      const answer = await this.#client.request({ method: 'OPTIONS', path: UPLOAD_PATH, signal });
      if (answer.status === 401 || answer.status === 407) return 'DELIVERY_AUTH_FAILED';
      return [502, 503, 504].includes(answer.status) ? 'DELIVERY_BUSY' : undefined;
    } catch (error) {
      return outcomeOfError(error).code;
    }
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  async #attempt(plan: UploadPlan, batch: Batch, signal: AbortSignal): Promise<DeliveryOutcome> {
    try {
      const finding = this.#check(plan, batch);
      if (finding !== undefined) return { kind: 'failed', code: 'DELIVERY_PAYLOAD_INVALID', detail: finding };
      return this.#judge(await this.#send(plan, batch, signal), plan, batch);
    } catch (error) {
      return outcomeOfError(error);
    }
  }

  #check(plan: UploadPlan, batch: Batch): string | undefined {
    const payload = payloadOf(plan, (part) => dataHead(part, batch));
    return this.#contract.check(
      payload,
      plan.parts.map((part) => base64Length(part.image.bytes)),
    );
  }

  #send(plan: UploadPlan, batch: Batch, signal: AbortSignal): Promise<HttpAnswer> {
    const body = uploadBody(plan, batch);
    return this.#client.request({
      method: 'POST',
      path: UPLOAD_PATH,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        accept: 'application/json',
        'idempotency-key': idempotencyKey(plan),
        ...(this.#gzip ? { 'content-encoding': 'gzip' } : {}),
      },
      body: this.#gzip ? gzipped(body) : body,
      signal,
    });
  }

  #judge(answer: HttpAnswer, plan: UploadPlan, batch: Batch): DeliveryOutcome {
    if (this.#contract.receiptStatuses.has(answer.status)) return receiptOf(answer);
    if (answer.status === 409 && holdsOurImages(answer, plan, batch))
      return { kind: 'delivered', receipt: 'status=409 same content' };
    return outcomeOfAnswer(answer, this.#clock.nowMs());
  }
}

/**
 * A receipt says `{success:"ok"}`; an empty body is taken for one. Anything else with a 200 is not the backend speaking
 * (a proxy's login page, say) and the request is owed again.
 */
function receiptOf(answer: HttpAnswer): DeliveryOutcome {
  if (answer.body.length === 0) return { kind: 'delivered', receipt: `status=${answer.status}` };
  if (jsonOf(answer.body)?.['success'] === 'ok')
    return { kind: 'delivered', receipt: `status=${answer.status} success=ok` };
  return { kind: 'failed', code: 'DELIVERY_BUSY', detail: `status=${answer.status} without the contract's receipt` };
}

/** Every image of the request is among the conflicts, each with the digest of the file that we sent. */
function holdsOurImages(answer: HttpAnswer, plan: UploadPlan, batch: Batch): boolean {
  const conflicts = jsonOf(answer.body)?.['conflicts'];
  if (!Array.isArray(conflicts)) return false;
  const stored = new Map<unknown, unknown>(conflicts.map((one) => [one?.imageInstanceUid, one?.sha256]));
  return plan.parts.every((part) => {
    const digest = stored.get(part.image.imageInstanceUid);
    return digest !== undefined && digest === imageDigest(part, batch);
  });
}

function jsonOf(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    // Not JSON: the caller treats it as an answer that says nothing.
    return undefined;
  }
}

function gzipped(body: HttpBody): HttpBody {
  return {
    length: undefined,
    chunks: () => Readable.from(body.chunks(), { objectMode: false }).compose(createGzip({ level: GZIP_LEVEL })),
  };
}
