/**
 * Multipart bodies (RFC 2046 §5.1.1) read as a stream: used for form files (RFC 7578) and for multipart/related
 * (RFC 2387) as STOW-RS sends it. Strict on purpose: CRLF only, headers and preamble bounded, and a body without its
 * closing delimiter is refused, so that a broken connection is never mistaken for the end of an instance.
 *
 * `MultipartReader` does no I/O: bytes in, events out, `undefined` means "needs more bytes". `readParts` drives it over
 * an async source. Nothing is buffered beyond one chunk, one delimiter, and the headers of one part.
 */
import { LetheError } from '../core/errors.ts';

export type MultipartEvent =
  | { readonly kind: 'part-start'; readonly headers: ReadonlyMap<string, string> }
  | { readonly kind: 'part-data'; readonly bytes: Uint8Array }
  | { readonly kind: 'part-end' }
  | { readonly kind: 'end' };

export interface Part {
  /** By lower-case name. A name that comes twice is refused. */
  readonly headers: ReadonlyMap<string, string>;
  /** The bytes of the part; what is not read is skipped when the next part is asked for. */
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * RFC 2046 §5.1.1 allows 1 to 70 of these characters, not ending in a space.
 * Tolerance: Orthanc's DICOMweb plugin joins two UUIDs and has 73 (test/e2e/intake.test.ts).
 */
const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,199}[0-9A-Za-z'()+_,\-./:=?]$/;
const HEADER_BYTES_MAX = 16 * 1024;
const HEADER_COUNT_MAX = 32;
const PREAMBLE_BYTES_MAX = 64 * 1024;
/** Transport padding after a delimiter: a few blanks at most. */
const PADDING_BYTES_MAX = 256;
const CRLF = Buffer.from('\r\n');
const BLANK_LINE = Buffer.from('\r\n\r\n');
const EMPTY = Buffer.alloc(0);

type State = 'preamble' | 'delimiter' | 'headers' | 'body' | 'done';

export class MultipartReader {
  readonly #delimiter: Buffer;
  #state: State = 'preamble';
  /** What was pushed and not yet consumed. Begins as CRLF, so that a delimiter on the first line is one like the others. */
  #pending: Buffer = CRLF;
  #preambleBytes = 0;
  /** True until the CRLF that ends the headers is known to be no part of an immediate delimiter. */
  #bodyStarts = false;

  constructor(boundary: string) {
    if (!BOUNDARY.test(boundary)) throw malformed('boundary');
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  push(bytes: Uint8Array): void {
    // After the close delimiter comes the epilogue, which RFC 2046 says to ignore.
    if (this.#state === 'done') return;
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
  }

  /** The source has no more bytes. @throws HTTP_BODY_INCOMPLETE when the closing delimiter did not come. */
  end(): void {
    if (this.#state !== 'done') throw new LetheError('HTTP_BODY_INCOMPLETE', { state: this.#state });
  }

  /** @throws HTTP_MULTIPART_MALFORMED */
  next(): MultipartEvent | undefined {
    if (this.#state === 'preamble' && !this.#skipPreamble()) return undefined;
    if (this.#state === 'delimiter' && !this.#readDelimiterRest()) return undefined;
    if (this.#state === 'headers') return this.#readHeaders();
    if (this.#state === 'body') return this.#readBody();
    return { kind: 'end' };
  }

  #skipPreamble(): boolean {
    const at = this.#pending.indexOf(this.#delimiter);
    const skipped = at >= 0 ? at : Math.max(0, this.#pending.length - this.#delimiter.length + 1);
    this.#preambleBytes += skipped;
    if (this.#preambleBytes > PREAMBLE_BYTES_MAX) throw malformed('preamble');
    this.#consume(at >= 0 ? at + this.#delimiter.length : skipped);
    if (at >= 0) this.#state = 'delimiter';
    return at >= 0;
  }

  /** After a delimiter: `--` closes the body; blanks and CRLF start a part; all else was no delimiter of ours. */
  #readDelimiterRest(): boolean {
    if (this.#pending.length < 2) return false;
    if (this.#pending[0] === 0x2d && this.#pending[1] === 0x2d) {
      this.#state = 'done';
      this.#pending = EMPTY;
      return true;
    }
    const at = this.#pending.indexOf(CRLF);
    const padding = this.#pending.subarray(0, at < 0 ? Math.max(0, this.#pending.length - 1) : at);
    if (padding.length > PADDING_BYTES_MAX || padding.some((byte) => byte !== 0x20 && byte !== 0x09)) {
      throw malformed('delimiter');
    }
    if (at < 0) return false;
    // The CRLF stays: a part without headers is then CRLF CRLF like the end of any other headers.
    this.#consume(at);
    this.#state = 'headers';
    return true;
  }

  #readHeaders(): MultipartEvent | undefined {
    const at = this.#pending.indexOf(BLANK_LINE);
    if ((at < 0 ? this.#pending.length : at) > HEADER_BYTES_MAX) throw malformed('headers too long');
    if (at < 0) return undefined;
    const headers = parseHeaders(this.#pending.toString('latin1', CRLF.length, Math.max(CRLF.length, at)));
    // Of the blank line only what belongs to it is taken: its last CRLF may begin the next delimiter of an empty part.
    this.#consume(at + CRLF.length);
    this.#state = 'body';
    this.#bodyStarts = true;
    return { kind: 'part-start', headers };
  }

  #readBody(): MultipartEvent | undefined {
    const at = this.#pending.indexOf(this.#delimiter);
    if (this.#bodyStarts) {
      if (at !== 0 && this.#pending.length < this.#delimiter.length) return undefined;
      if (at !== 0) this.#consume(CRLF.length);
      this.#bodyStarts = false;
      return this.#readBody();
    }
    if (at === 0) {
      this.#consume(this.#delimiter.length);
      this.#state = 'delimiter';
      return { kind: 'part-end' };
    }
    const length = at > 0 ? at : this.#pending.length - this.#delimiter.length + 1;
    if (length <= 0) return undefined;
    const bytes = this.#pending.subarray(0, length);
    this.#consume(length);
    return { kind: 'part-data', bytes };
  }

  #consume(count: number): void {
    this.#pending = this.#pending.subarray(count);
  }
}

function parseHeaders(text: string): Map<string, string> {
  const headers = new Map<string, string>();
  if (text.length === 0) return headers;
  // RFC 5322 §2.2.3: a line that begins with a blank continues the one before.
  const lines = text.replace(/\r\n[ \t]+/g, ' ').split('\r\n');
  if (lines.length > HEADER_COUNT_MAX) throw malformed('too many headers');
  for (const line of lines) {
    const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    const name = match?.[1]?.toLowerCase();
    if (name === undefined || headers.has(name)) throw malformed('header');
    headers.set(name, match?.[2] ?? '');
  }
  return headers;
}

function malformed(what: string): LetheError {
  return new LetheError('HTTP_MULTIPART_MALFORMED', { what });
}

/** The parts of a body, one after the other. @throws HTTP_MULTIPART_MALFORMED, HTTP_BODY_INCOMPLETE */
export async function* readParts(
  source: AsyncIterable<Uint8Array>,
  boundary: string,
  options: { partCountMax: number },
): AsyncGenerator<Part> {
  const reader = new MultipartReader(boundary);
  const chunks = source[Symbol.asyncIterator]();
  const nextEvent = async (): Promise<MultipartEvent> => {
    for (;;) {
      const event = reader.next();
      if (event !== undefined) return event;
      const chunk = await chunks.next();
      if (chunk.done === true) reader.end();
      else reader.push(chunk.value);
    }
  };
  for (let count = 1; ; count++) {
    const event = await nextEvent();
    if (event.kind === 'end') break;
    if (event.kind !== 'part-start') continue;
    if (count > options.partCountMax) throw malformed('too many parts');
    const body = new PartBody(nextEvent);
    yield { headers: event.headers, body: body.bytes() };
    await body.skipRest();
  }
  // The epilogue is read to its end, so that the connection can serve the next request.
  while ((await chunks.next()).done !== true);
}

class PartBody {
  readonly #nextEvent: () => Promise<MultipartEvent>;
  #open = true;

  constructor(nextEvent: () => Promise<MultipartEvent>) {
    this.#nextEvent = nextEvent;
  }

  async *bytes(): AsyncGenerator<Uint8Array> {
    while (this.#open) {
      const event = await this.#nextEvent();
      if (event.kind === 'part-data') yield event.bytes;
      else this.#open = false;
    }
  }

  async skipRest(): Promise<void> {
    while (this.#open) this.#open = (await this.#nextEvent()).kind === 'part-data';
  }
}
