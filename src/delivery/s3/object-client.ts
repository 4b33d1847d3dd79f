/**
 * Puts objects into S3 or what speaks like it (Amazon S3 API Reference: PutObject, CreateMultipartUpload, UploadPart,
 * CompleteMultipartUpload, AbortMultipartUpload). Every body is signed by its SHA-256, so the other side refuses what
 * was changed on the way. Objects above one part's size go in parts; parts of an upload that failed are removed.
 */
import { createHash } from 'node:crypto';
import type { ByteSource } from '../../core/bytes.ts';
import { type Clock, systemClock } from '../../core/clock.ts';
import { LetheError } from '../../core/errors.ts';
import { openSecret, type Secret } from '../auth.ts';
import { type HttpAnswer, type HttpBody, HttpClient, type HttpOptions } from '../http-client.ts';
import { encodeKey, queryText, type SigningKey, signedHeaders } from './signature.ts';

export interface ObjectClientOptions extends Omit<HttpOptions, 'auth'> {
  /** With the bucket: `https://bucket.s3.eu-central-1.amazonaws.com` or `https://minio.example:9000/bucket`. */
  readonly url: string;
  readonly region: string;
  readonly accessKeyId: Secret;
  readonly secretAccessKey: Secret;
  readonly sessionToken?: Secret;
  /** Objects up to this size go in one request, larger ones in parts of it; S3 wants 5 MiB to 5 GiB. */
  readonly partBytes?: number;
}

interface S3Request {
  readonly method: 'PUT' | 'POST' | 'DELETE' | 'HEAD';
  /** Empty for the bucket itself. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly body?: HttpBody & { readonly sha256: string };
}

const PART_BYTES = 64 * 1024 * 1024;
/** S3 takes 10,000 parts of an object. */
const PARTS_MAX = 10_000;
const SLICE_BYTES = 512 * 1024;
const EMPTY = bodyOfText('');

export class ObjectClient {
  readonly #options: ObjectClientOptions;
  readonly #http: HttpClient;
  readonly #host: string;
  readonly #basePath: string;
  readonly #partBytes: number;
  readonly #clock: Clock;

  constructor(options: ObjectClientOptions, clock: Clock = systemClock) {
    const url = new URL(options.url);
    this.#options = options;
    this.#http = new HttpClient(options);
    this.#host = url.host;
    this.#basePath = url.pathname.replace(/\/$/, '');
    this.#partBytes = options.partBytes ?? PART_BYTES;
    this.#clock = clock;
  }

  /** The answer that ended it: 200 when the object is there, else the refusal. @throws as HttpClient */
  async put(key: string, source: ByteSource, contentType: string, signal: AbortSignal): Promise<HttpAnswer> {
    if (source.size > this.#partBytes) return this.#putInParts(key, source, contentType, signal);
    const body = bodyOfRange(source, 0, source.size);
    return this.#send({ method: 'PUT', key, contentType, body }, signal);
  }

  /** HeadBucket. */
  headBucket(signal: AbortSignal): Promise<HttpAnswer> {
    return this.#send({ method: 'HEAD', key: '' }, signal);
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  async #putInParts(key: string, source: ByteSource, contentType: string, signal: AbortSignal): Promise<HttpAnswer> {
    const created = await this.#send({ method: 'POST', key, query: { uploads: '' }, contentType, body: EMPTY }, signal);
    if (created.status !== 200) return created;
    const uploadId = /<UploadId>([^<]+)<\/UploadId>/.exec(created.body.toString('utf8'))?.[1];
    if (uploadId === undefined) throw new LetheError('DELIVERY_BUSY', { what: 'no UploadId' });
    try {
      const answer = await this.#sendParts(key, uploadId, source, signal);
      if (answer.status !== 200) await this.#abort(key, uploadId);
      return answer;
    } catch (error) {
      await this.#abort(key, uploadId);
      throw error;
    }
  }

  async #sendParts(key: string, uploadId: string, source: ByteSource, signal: AbortSignal): Promise<HttpAnswer> {
    const partBytes = Math.max(this.#partBytes, Math.ceil(source.size / PARTS_MAX));
    const parts: string[] = [];
    for (let start = 0; start < source.size; start += partBytes) {
      const partNumber = String(parts.length + 1);
      const body = bodyOfRange(source, start, Math.min(partBytes, source.size - start));
      const answer = await this.#send({ method: 'PUT', key, query: { partNumber, uploadId }, body }, signal);
      if (answer.status !== 200) return answer;
      const tag = escapeXml(answer.header('etag') ?? '');
      parts.push(`<Part><PartNumber>${partNumber}</PartNumber><ETag>${tag}</ETag></Part>`);
    }
    const body = bodyOfText(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`);
    const answer = await this.#send(
      { method: 'POST', key, query: { uploadId }, contentType: 'application/xml', body },
      signal,
    );
    // CompleteMultipartUpload may answer 200 first and say in the body that it failed.
    if (answer.status === 200 && !answer.body.includes('<CompleteMultipartUploadResult')) {
      throw new LetheError('DELIVERY_BUSY', { what: 'the parts were not put together' });
    }
    return answer;
  }

  /** Best effort: what stays is removed by the bucket's lifecycle rule, and the delivery's own outcome matters more. */
  async #abort(key: string, uploadId: string): Promise<void> {
    const signal = AbortSignal.timeout(10_000);
    await this.#send({ method: 'DELETE', key, query: { uploadId } }, signal).catch(() => undefined);
  }

  async #send({ method, key, query, contentType, body }: S3Request, signal: AbortSignal): Promise<HttpAnswer> {
    const path = key === '' ? '/' : `/${encodeKey(key)}`;
    const signed = {
      method,
      host: this.#host,
      path: this.#basePath + path,
      payloadSha256: (body ?? EMPTY).sha256,
      headers: contentType === undefined ? {} : { 'content-type': contentType },
      ...(query === undefined ? {} : { query }),
    };
    const headers = signedHeaders(signed, await this.#key(), this.#clock.nowMs());
    const target = query === undefined ? path : `${path}?${queryText(query)}`;
    return this.#http.request({ method, path: target, headers, signal, ...(body === undefined ? {} : { body }) });
  }

  async #key(): Promise<SigningKey> {
    const { region, accessKeyId, secretAccessKey, sessionToken } = this.#options;
    return {
      region,
      accessKeyId: await openSecret(accessKeyId),
      secretAccessKey: await openSecret(secretAccessKey),
      ...(sessionToken === undefined ? {} : { sessionToken: await openSecret(sessionToken) }),
    };
  }
}

/** Read twice: once for the digest that is signed, once for the socket. */
function bodyOfRange(source: ByteSource, start: number, length: number) {
  const hash = createHash('sha256');
  for (const slice of slices(source, start, length)) hash.update(slice);
  return {
    length,
    sha256: hash.digest('hex'),
    *chunks() {
      // A copy, because the source may reuse its buffer before the socket is done with it.
      for (const slice of slices(source, start, length)) yield slice.slice();
    },
  };
}

function* slices(source: ByteSource, start: number, length: number): Generator<Uint8Array> {
  for (let position = start; position < start + length; position += SLICE_BYTES) {
    yield source.read(position, Math.min(SLICE_BYTES, start + length - position));
  }
}

function bodyOfText(text: string) {
  const bytes = Buffer.from(text, 'utf8');
  return { length: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), chunks: () => [bytes] };
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
