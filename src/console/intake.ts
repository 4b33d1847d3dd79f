/**
 * Instances over HTTP: `POST /receive_dicom` (one Part 10 file as the body, or form files as RFC 7578 sends them).
 *
 * The body is streamed into the gateway's custody and never held in memory. 200 is answered only when every instance of
 * the request is durable. Where one was refused the answer has the status of the gravest refusal and still lists what
 * came of each, so that a sender who looks at the status alone sends again (repeating is safe: same bytes, same answer).
 */
import { ERRORS, LetheError } from '../core/errors.ts';
import type { GatewayAdmin, ReceiveOrigin, ReceiveResult } from '../gateway/admin.ts';
import { parseMediaType } from './media-type.ts';
import { readParts } from './multipart.ts';
import { type Problem, problemFor, problemOf } from './problem.ts';

/** More parts than any study has instances; bounds the answer. */
export const PART_COUNT_MAX = 20_000;

export interface InstanceAnswer {
  readonly sopInstanceUid?: string;
  readonly status: 'accepted' | 'duplicate' | 'refused';
  readonly code?: string;
}

export interface IntakeAnswer {
  readonly status: number;
  readonly body: { readonly message: string; readonly instances: readonly InstanceAnswer[] } & Partial<Problem>;
}

export interface IntakeRequest {
  readonly contentType: string | undefined;
  readonly contentLength: number | undefined;
  readonly contentEncoding: string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
  readonly origin: ReceiveOrigin;
  /** Of one instance; the number of instances in a request is bounded apart from it. */
  readonly bodyLimitBytes: number;
}

/** @throws HTTP_* for a request that cannot be read at all */
export async function receiveInstances(request: IntakeRequest, admin: GatewayAdmin): Promise<IntakeAnswer> {
  checkCoding(request.contentEncoding);
  const type = parseMediaType(request.contentType ?? '');
  if (type?.essence !== 'multipart/form-data') {
    if ((request.contentLength ?? 0) > request.bodyLimitBytes) {
      throw new LetheError('HTTP_BODY_TOO_LARGE', { limitBytes: request.bodyLimitBytes });
    }
    return answerOf([await receiveOne(request, request.body, admin)]);
  }
  const boundary = type.parameters.get('boundary') ?? '';
  const results: ReceiveResult[] = [];
  for await (const part of readParts(request.body, boundary, { partCountMax: PART_COUNT_MAX })) {
    const disposition = parseMediaType(part.headers.get('content-disposition') ?? '');
    // A form field that is no file says something about the form, not about an instance.
    if (disposition?.parameters.get('filename') === undefined && !part.headers.has('content-type')) continue;
    const result = await receiveOne(request, part.body, admin);
    results.push(result);
    // Out of space now means out of space for the rest: the sender is told at once.
    if (isRetry(result)) break;
  }
  if (results.length === 0) throw new LetheError('HTTP_NOT_DICOM', { what: 'no file in the form' });
  return answerOf(results);
}

/** A coded body would have to be decoded without bound before anybody could look at it. @throws HTTP_MEDIA_TYPE_UNSUPPORTED */
export function checkCoding(contentEncoding: string | undefined): void {
  if (contentEncoding === undefined || contentEncoding.toLowerCase() === 'identity') return;
  throw new LetheError('HTTP_MEDIA_TYPE_UNSUPPORTED', { what: 'Content-Encoding' });
}

/** One instance into custody; a refusal is a result, a broken request or connection is thrown. */
export async function receiveOne(
  request: Pick<IntakeRequest, 'origin' | 'bodyLimitBytes'>,
  body: AsyncIterable<Uint8Array>,
  admin: GatewayAdmin,
): Promise<ReceiveResult> {
  const limited = new LimitedBody(body, request.bodyLimitBytes);
  let failure: unknown;
  try {
    const result = await admin.receive(limited.bytes(), request.origin);
    // Whatever the receiver made of it: when the bytes themselves failed, that is the cause.
    if (limited.failure === undefined) return result;
    failure = limited.failure;
  } catch (error) {
    failure = limited.failure ?? error;
  }
  const problem = problemOf(failure);
  if (problem.code.startsWith('HTTP_') && problem.code !== 'HTTP_BODY_TOO_LARGE') throw failure;
  return { status: 'refused', code: problem.code, message: problem.title, httpStatus: problem.status };
}

/** Counts what passes, and remembers why the bytes ended early. */
class LimitedBody {
  readonly #source: AsyncIterable<Uint8Array>;
  readonly #limitBytes: number;
  failure: unknown;

  constructor(source: AsyncIterable<Uint8Array>, limitBytes: number) {
    this.#source = source;
    this.#limitBytes = limitBytes;
  }

  async *bytes(): AsyncGenerator<Uint8Array> {
    let count = 0;
    try {
      for await (const chunk of this.#source) {
        count += chunk.length;
        if (count > this.#limitBytes) throw new LetheError('HTTP_BODY_TOO_LARGE', { limitBytes: this.#limitBytes });
        yield chunk;
      }
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }
}

export function isRetry(result: ReceiveResult): boolean {
  return result.status === 'refused' && result.httpStatus === 503;
}

function answerOf(results: readonly ReceiveResult[]): IntakeAnswer {
  const instances = results.map(instanceAnswer);
  const taken = results.filter((result) => result.status !== 'refused').length;
  const refused = results.filter((result) => result.status === 'refused');
  // 503 over 413 over 4xx: what may succeed by waiting comes first.
  const gravest = refused.toSorted((one, other) => other.httpStatus - one.httpStatus)[0];
  if (gravest === undefined) {
    return {
      status: 200,
      body: { message: `${taken} ${taken === 1 ? 'instance' : 'instances'} in custody`, instances },
    };
  }
  const problem = problemFor(gravest.code, '', gravest.httpStatus, sentenceOf(gravest.code));
  const message = `${taken} of ${results.length} in custody; ${refused.length} refused: ${problem.title}`;
  return { status: problem.status, body: { ...problem, message, instances } };
}

function instanceAnswer(result: ReceiveResult): InstanceAnswer {
  if (result.status !== 'refused') return { sopInstanceUid: result.sopInstanceUid, status: result.status };
  return {
    ...(result.sopInstanceUid !== undefined && { sopInstanceUid: result.sopInstanceUid }),
    status: 'refused',
    code: result.code,
  };
}

/** The table's sentence, never the words of whoever refused: those may hold more than they should. */
function sentenceOf(code: string): string {
  return Object.entries(ERRORS).find(([name]) => name === code)?.[1].message ?? 'The instance was refused.';
}
