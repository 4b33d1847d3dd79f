/** A console server over an admin face that a test makes up. */
import type { TestContext } from 'node:test';
import { type HttpServerOptions, startHttp } from '../../src/console/server.ts';
import { systemClock } from '../../src/core/clock.ts';
import { silentLogger } from '../../src/core/log.ts';
import type { GatewayAdmin, ReceiveOrigin, ReceiveResult } from '../../src/gateway/admin.ts';

export const ID = '01J00000000000000000000000';

export interface Received {
  readonly bytes: Buffer;
  readonly from: ReceiveOrigin;
}

/** An admin face that takes everything and remembers who sent it; what a test does not use throws. */
export function admin(received: Received[] = [], ...results: ReceiveResult[]): GatewayAdmin {
  const unused = () => Promise.reject(new Error('not used here'));
  return {
    status: unused,
    readiness: async () => ({ ready: false, reasons: ['SPOOL_FULL: no room'] }),
    ledger: async () => [],
    list: async () => [],
    detail: async () => undefined,
    release: unused,
    retry: unused,
    hold: unused,
    review: unused,
    decideReview: unused,
    discard: unused,
    explain: unused,
    preview: async () => undefined,
    receivedPreview: unused,
    noteUser: () => undefined,
    metrics: async () => 'lethe_up 1\n',
    receive: async (bytes, from) => {
      const chunks = [];
      for await (const chunk of bytes) chunks.push(chunk);
      received.push({ bytes: Buffer.concat(chunks), from });
      return results[received.length - 1] ?? results.at(-1) ?? { status: 'accepted', id: ID, sopInstanceUid: '2.25.1' };
    },
  };
}

export async function serve(
  t: TestContext,
  face: GatewayAdmin,
  options: Partial<HttpServerOptions> = {},
): Promise<string> {
  const server = await startHttp({ host: '127.0.0.1', port: 0, users: [], bodyLimitBytes: 1e6, ...options }, face, {
    logger: silentLogger,
    clock: systemClock,
  });
  t.after(() => server.close());
  return `http://127.0.0.1:${server.port}`;
}

export function multipart(type: string, parts: readonly string[]): { body: string; headers: Record<string, string> } {
  const body = `${parts.map((part) => `--XX\r\n${part}\r\n`).join('')}--XX--\r\n`;
  return { body, headers: { 'content-type': `${type}; boundary=XX` } };
}
