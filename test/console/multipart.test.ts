import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseMediaType } from '../../src/console/media-type.ts';
import { MultipartReader, readParts } from '../../src/console/multipart.ts';
import { LetheError } from '../../src/core/errors.ts';

interface ReadPart {
  headers: Record<string, string>;
  body: string;
}

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(text: string | Uint8Array, boundary = 'B', size = 7, partCountMax = 100): Promise<ReadPart[]> {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
  const parts: ReadPart[] = [];
  for await (const part of readParts(chunksOf(bytes, size), boundary, { partCountMax })) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of part.body) chunks.push(Uint8Array.from(chunk));
    parts.push({ headers: Object.fromEntries(part.headers), body: Buffer.concat(chunks).toString('latin1') });
  }
  return parts;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof LetheError ? error.code : String(error);
  }
  return 'no error';
}

// RFC 2046 §5.1.1, with preamble, a part without headers, transport padding and an epilogue.
const TWO_PARTS =
  'preamble, to be ignored\r\n--B\r\n\r\nimplicitly typed\r\nline two\r\n--B  \r\nContent-Type: text/plain\r\nX-Long: a\r\n\tb\r\n\r\nexplicit\r\n\r\n--B--\r\nepilogue --B';

describe('multipart body', () => {
  it('is read the same whatever the size of the chunks', async () => {
    for (let size = 1; size <= TWO_PARTS.length; size++) {
      assert.deepEqual(await read(TWO_PARTS, 'B', size), [
        { headers: {}, body: 'implicitly typed\r\nline two' },
        { headers: { 'content-type': 'text/plain', 'x-long': 'a b' }, body: 'explicit\r\n' },
      ]);
    }
  });

  it('may hold empty parts, with and without headers', async () => {
    for (let size = 1; size <= 12; size++) {
      assert.deepEqual(await read('--B\r\n\r\n\r\n--B\r\nA: 1\r\n\r\n\r\n--B--', 'B', size), [
        { headers: {}, body: '' },
        { headers: { a: '1' }, body: '' },
      ]);
    }
  });

  it('takes a part whose headers are followed at once by the delimiter as empty', async () => {
    for (let size = 1; size <= 12; size++) {
      assert.deepEqual(await read('--B\r\nA: 1\r\n\r\n--B--', 'B', size), [{ headers: { a: '1' }, body: '' }]);
    }
  });

  it('keeps bytes that only look like the beginning of a delimiter', async () => {
    const body = '\r\n-\r\n--\r\n\r\n--A\r\r\n';
    assert.deepEqual(await read(`--BBB\r\n\r\n${body}\r\n--BBB--`, 'BBB', 1), [{ headers: {}, body }]);
  });

  it('skips what the reader of a part left unread', async () => {
    const names: string[] = [];
    for await (const part of readParts(chunksOf(Buffer.from(TWO_PARTS), 5), 'B', { partCountMax: 9 })) {
      for await (const _ of part.body) break;
      names.push([...part.headers.keys()].join());
    }
    assert.deepEqual(names, ['', 'content-type,x-long']);
  });

  it('gives back any bytes that do not hold the delimiter, in any chunks', async () => {
    const bytes = fc.uint8Array({ maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { maxLength: 4 }), fc.integer({ min: 1, max: 64 }), async (bodies, size) => {
        const text = bodies
          .map((body) => `--frontier\r\nN: 1\r\n\r\n${Buffer.from(body).toString('latin1')}\r\n`)
          .join('');
        const parts = await read(Buffer.from(`${text}--frontier--`, 'latin1'), 'frontier', size);
        assert.deepEqual(
          parts.map((part) => part.body),
          bodies.map((body) => Buffer.from(body).toString('latin1')),
        );
      }),
    );
  });

  it('never hangs or fails in another way than with a typed error on random bytes', async () => {
    const token = fc.constantFrom('--B', '\r\n', '--', ':', 'A', ' ', '\r', '\n', '\r\n--B', '\r\n\r\n');
    await fc.assert(
      fc.asyncProperty(fc.array(token, { maxLength: 30 }), fc.integer({ min: 1, max: 5 }), async (tokens, size) => {
        const code = await codeOf(read(tokens.join(''), 'B', size));
        assert.match(code, /^(no error|HTTP_MULTIPART_MALFORMED|HTTP_BODY_INCOMPLETE)$/);
      }),
    );
  });

  it('without its closing delimiter is incomplete, wherever it ends', async () => {
    const whole = '--B\r\nA: 1\r\n\r\nbody\r\n--B--';
    for (let length = 0; length < whole.length; length++) {
      assert.equal(await codeOf(read(whole.slice(0, length))), 'HTTP_BODY_INCOMPLETE', `${length} bytes`);
    }
  });

  it('is refused when it breaks the syntax', async () => {
    const bad: Readonly<Record<string, string>> = {
      'a longer boundary inside': '--B\r\n\r\nx\r\n--Bother\r\n\r\ny\r\n--B--',
      'a header without colon': '--B\r\nno colon\r\n\r\nx\r\n--B--',
      'a header twice': '--B\r\nA: 1\r\na: 2\r\n\r\nx\r\n--B--',
      'endless headers': `--B\r\nA: ${'x'.repeat(20_000)}`,
      'an endless preamble': 'x'.repeat(70_000),
      'too many headers': `--B\r\n${Array.from({ length: 40 }, (_, index) => `A${index}: 1\r\n`).join('')}\r\nx\r\n--B--`,
    };
    for (const [name, text] of Object.entries(bad)) {
      assert.equal(await codeOf(read(text)), 'HTTP_MULTIPART_MALFORMED', name);
    }
    assert.equal(await codeOf(read('--B\r\n\r\n\r\n--B\r\n\r\n\r\n--B--', 'B', 7, 1)), 'HTTP_MULTIPART_MALFORMED');
  });

  it('asks for a boundary of characters that RFC 2046 allows, and bounded', () => {
    for (const boundary of ['', 'x'.repeat(201), 'ends with blank ', 'has"quote', 'line\r\nbreak']) {
      assert.throws(() => new MultipartReader(boundary), { code: 'HTTP_MULTIPART_MALFORMED' });
    }
    assert.doesNotThrow(() => new MultipartReader("gc0pJq0M:08jU534c0p'()+_,-./:=?"));
  });
});

describe('media type', () => {
  it('is parsed with quoted and bare parameters', () => {
    const type = parseMediaType('Multipart/Related; type="application/dicom";boundary=a=b; start="a\\"b" ; ');
    assert.equal(type?.essence, 'multipart/related');
    assert.deepEqual(Object.fromEntries(type?.parameters ?? []), {
      type: 'application/dicom',
      boundary: 'a=b',
      start: 'a"b',
    });
  });

  it('takes a bare value that holds a slash, as many STOW-RS senders write it', () => {
    const type = parseMediaType('multipart/related; type=application/dicom; boundary=x');
    assert.equal(type?.parameters.get('type'), 'application/dicom');
  });

  it('reads a content disposition', () => {
    const disposition = parseMediaType('form-data; name="file"; filename="a;b.dcm"');
    assert.equal(disposition?.essence, 'form-data');
    assert.equal(disposition?.parameters.get('filename'), 'a;b.dcm');
  });

  it('is undefined for what is none', () => {
    for (const text of ['', ';boundary=x', 'a/b; "x', 'a/b junk']) assert.equal(parseMediaType(text), undefined, text);
  });
});
