/**
 * What every request passes before its route: security headers on the answer, the Host check against DNS rebinding, and
 * the origin check against requests that a page of another site makes in the operator's browser. None of it looks at
 * credentials; `auth.ts` does.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { LetheError } from '../core/errors.ts';

/** Nothing is loaded from elsewhere, nothing inline runs, and nobody frames the console. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function securityHeaders(tls: boolean): Readonly<Record<string, string>> {
  return {
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
    ...(tls && { 'strict-transport-security': 'max-age=31536000' }),
  };
}

export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  return bare === 'localhost' || bare === '::1' || /^127\.\d+\.\d+\.\d+$/.test(bare);
}

/**
 * A name that an attacker's DNS can point at us is refused: addresses cannot be rebound, and names have to be known.
 * With credentials asked for, a rebound page has none to send, so the check is needed only where there are no users.
 *
 * @throws HTTP_HOST_UNKNOWN
 */
export function checkHost(headers: IncomingHttpHeaders, allowedHosts: readonly string[]): void {
  const name = hostName(headers.host ?? headers[':authority']?.toString());
  if (name === undefined) throw new LetheError('HTTP_HOST_UNKNOWN');
  if (isLoopback(name) || isIP(name) !== 0 || allowedHosts.includes(name)) return;
  throw new LetheError('HTTP_HOST_UNKNOWN');
}

function hostName(host: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(host ?? '');
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Browsers send Origin or Sec-Fetch-Site with every request that changes something; other programs send neither. So
 * absence means no browser, and presence has to say that the page is ours.
 *
 * @throws HTTP_CROSS_SITE
 */
export function checkOrigin(method: string, headers: IncomingHttpHeaders): void {
  if (SAFE_METHODS.has(method)) return;
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') throw new LetheError('HTTP_CROSS_SITE');
  const origin = headers.origin;
  if (origin === undefined) return;
  if (!URL.canParse(origin) || new URL(origin).host !== headers.host?.toLowerCase())
    throw new LetheError('HTTP_CROSS_SITE');
}
