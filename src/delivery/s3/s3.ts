/**
 * Destination type `s3`: `<prefix>/<study>/<series>/<instance>.dcm` in a bucket, the rendered images beside it by their
 * own UID, put before it: where the DICOM object is, its images are. Idempotent: the same object replaces itself.
 *
 * API: `s3Destination(name, options) -> Destination`.
 */
import { type Clock, systemClock } from '../../core/clock.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { DeliverableInstance, DeliveryOutcome, Destination } from '../destination.ts';
import { type Contents, filesOf } from '../files.ts';
import type { HttpAnswer } from '../http-client.ts';
import { type FailedOutcome, outcomeOfAnswer, outcomeOfError } from '../http-failure.ts';
import { ObjectClient, type ObjectClientOptions } from './object-client.ts';

export interface S3Options extends ObjectClientOptions {
  /** Before every key, without slashes at its ends. */
  readonly prefix?: string;
  readonly contents?: Contents;
}

/** Error codes of S3 whose status alone would mislead: the same may succeed later, or our credentials are to blame. */
const S3_CODES: Readonly<Record<string, ErrorCode>> = {
  RequestTimeout: 'DELIVERY_BUSY',
  OperationAborted: 'DELIVERY_BUSY',
  NoSuchUpload: 'DELIVERY_BUSY',
  NoSuchBucket: 'DELIVERY_UNREACHABLE',
  ExpiredToken: 'DELIVERY_AUTH_FAILED',
};

export function s3Destination(name: string, options: S3Options, clock: Clock = systemClock): Destination {
  return new S3(name, options, clock);
}

class S3 implements Destination {
  readonly name: string;
  readonly type = 's3';
  readonly idempotent = true;
  readonly #client: ObjectClient;
  readonly #prefix: string;
  readonly #contents: Contents;
  readonly #clock: Clock;

  constructor(name: string, options: S3Options, clock: Clock) {
    this.name = name;
    this.#client = new ObjectClient(options, clock);
    this.#prefix = options.prefix === undefined || options.prefix === '' ? '' : `${options.prefix}/`;
    this.#contents = options.contents ?? 'all';
    this.#clock = clock;
  }

  async deliver(batch: readonly DeliverableInstance[], signal: AbortSignal): Promise<DeliveryOutcome[]> {
    const outcomes: DeliveryOutcome[] = [];
    for (const instance of batch) outcomes.push(await this.#deliverOne(instance, signal));
    return outcomes;
  }

  async probe(signal: AbortSignal): Promise<ErrorCode | undefined> {
    try {
      const answer = await this.#client.headBucket(signal);
      return answer.status === 200 ? undefined : this.#failureOf(answer).code;
    } catch (error) {
      return outcomeOfError(error).code;
    }
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  async #deliverOne(instance: DeliverableInstance, signal: AbortSignal): Promise<DeliveryOutcome> {
    const { manifest } = instance;
    try {
      const files = filesOf(manifest, this.#contents);
      if (files === undefined) return { kind: 'failed', code: 'DELIVERY_PAYLOAD_INVALID', detail: 'uid' };
      if (files.length === 0) return { kind: 'failed', code: 'OBJECT_HAS_NO_IMAGE' };
      for (const { file, path, mediaType } of files) {
        const source = instance.open(file);
        try {
          const answer = await this.#client.put(this.#prefix + path, source, mediaType, signal);
          if (answer.status !== 200) return this.#failureOf(answer);
        } finally {
          source.close();
        }
      }
      return { kind: 'delivered', receipt: `objects=${files.length}` };
    } catch (error) {
      return outcomeOfError(error);
    }
  }

  /** 403 is about our credentials or their rights, never about the instance. */
  #failureOf(answer: HttpAnswer): FailedOutcome {
    const outcome = outcomeOfAnswer(answer, this.#clock.nowMs());
    const s3Code = /<Code>([A-Za-z]{1,64})<\/Code>/.exec(answer.body.toString('utf8'))?.[1];
    const byStatus = answer.status === 403 ? 'DELIVERY_AUTH_FAILED' : outcome.code;
    const code = (s3Code === undefined ? undefined : S3_CODES[s3Code]) ?? byStatus;
    return {
      ...outcome,
      code,
      detail: s3Code === undefined ? `status=${answer.status}` : `status=${answer.status} ${s3Code}`,
    };
  }
}
