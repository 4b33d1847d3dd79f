/**
 * As much of S3 as the destination uses, in memory. It refuses a body whose digest is not the one that was signed; the
 * signature itself is held to Amazon's published examples and to botocore elsewhere.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Operation = 'HEAD bucket' | 'PUT object' | 'POST uploads' | 'PUT part' | 'POST complete' | 'DELETE upload';

interface StoredObject {
  readonly bytes: Buffer;
  readonly contentType: string | undefined;
}

export async function fakeS3() {
  const objects = new Map<string, StoredObject>();
  const uploads = new Map<string, { parts: Map<number, Buffer>; contentType: string | undefined }>();
  const operations: Operation[] = [];
  const failures = new Map<Operation, { status: number; code: string }>();

  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '/', 'http://s3');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const operation = operationOf(request.method ?? '', url);
    operations.push(operation);
    const failure = failures.get(operation);
    failures.delete(operation);
    const signed = createHash('sha256').update(body).digest('hex') === request.headers['x-amz-content-sha256'];
    const refusal = failure ?? (signed ? undefined : { status: 400, code: 'XAmzContentSHA256Mismatch' });
    if (refusal !== undefined) {
      response.writeHead(refusal.status).end(`<Error><Code>${refusal.code}</Code></Error>`);
      return;
    }
    const key = decodeURIComponent(url.pathname).replace(/^\/bucket\//, '');
    const uploadId = url.searchParams.get('uploadId') ?? '';
    const upload = uploads.get(uploadId);
    const contentType = request.headers['content-type'];
    if (operation === 'PUT object') objects.set(key, { bytes: body, contentType });
    if (operation === 'POST uploads') {
      const id = `${randomUUID()}+/=`;
      uploads.set(id, { parts: new Map(), contentType });
      response.write(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
    }
    if (operation === 'PUT part') {
      const number = Number(url.searchParams.get('partNumber'));
      upload?.parts.set(number, body);
      response.setHeader('etag', `"part-${number}"`);
    }
    if (operation === 'POST complete' && upload !== undefined) {
      const named = [
        ...body.toString('utf8').matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>&quot;part-\1&quot;<\/ETag>/g),
      ];
      const bytes = Buffer.concat(named.map((match) => upload.parts.get(Number(match[1])) ?? Buffer.alloc(0)));
      objects.set(key, { bytes, contentType: upload.contentType });
      response.write('<CompleteMultipartUploadResult></CompleteMultipartUploadResult>');
    }
    if (operation === 'POST complete' || operation === 'DELETE upload') uploads.delete(uploadId);
    response.end();
  };

  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/bucket`,
    objects,
    uploads,
    operations,
    /** The next such operation is answered so. */
    fail: (operation: Operation, status: number, code: string) => failures.set(operation, { status, code }),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function operationOf(method: string, url: URL): Operation {
  if (method === 'HEAD') return 'HEAD bucket';
  if (method === 'DELETE') return 'DELETE upload';
  if (method === 'POST') return url.searchParams.has('uploads') ? 'POST uploads' : 'POST complete';
  return url.searchParams.has('partNumber') ? 'PUT part' : 'PUT object';
}
