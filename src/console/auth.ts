/**
 * Who may do what over HTTP. Without configured users the server listens on loopback only and whoever reaches it is the
 * local operator, except for what shows identified values: that always asks for a named user. With users every request
 * but /healthz and /readyz needs Basic (RFC 7617) or Bearer (RFC 6750) credentials.
 *
 * Passwords are kept as scrypt hashes (RFC 7914), tokens as SHA-256 of 256 random bits; both are compared in constant
 * time. A verified header is remembered by its digest, so that scrypt runs once a session and not once a request.
 */
import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { LetheError } from '../core/errors.ts';

/** `sender`: may only send. `viewer`: reads. `operator`: also acts and sends. `privacy`: also sees identified values. */
export type Role = 'sender' | 'viewer' | 'operator' | 'privacy';

/** What a route asks for. */
export type Access = 'public' | 'send' | 'view' | 'act' | 'identified';

export interface HttpUser {
  readonly name: string;
  readonly role: Role;
  /** `scrypt$<log2 N>$<r>$<p>$<salt>$<hash>`, salt and hash in base64url; made by `hashPassword`. */
  readonly passwordHash?: string;
  /** Lower-case hexadecimal SHA-256 of a bearer token. */
  readonly tokenHash?: string;
  /** When given, the only customer this user may send for. */
  readonly customer?: string;
}

export interface Principal {
  readonly name: string;
  readonly role: Role;
  readonly customer?: string;
  /** False for the local operator of a gateway without configured users. */
  readonly authenticated: boolean;
}

const RIGHTS: Readonly<Record<Role, ReadonlySet<Access>>> = {
  sender: new Set<Access>(['public', 'send']),
  viewer: new Set<Access>(['public', 'view']),
  operator: new Set<Access>(['public', 'view', 'act', 'send']),
  privacy: new Set<Access>(['public', 'view', 'act', 'send', 'identified']),
};

const LOCAL: Principal = { name: 'local', role: 'operator', authenticated: false };
const ANONYMOUS: Principal = { name: 'anonymous', role: 'sender', authenticated: false };

/** 2^15 × 8 × 128 B = 32 MiB a check: the cost OWASP asks for, affordable since it runs once a session. */
const SCRYPT = { log2N: 15, r: 8, p: 3, hashBytes: 32 };
const SCRYPT_MEMORY_BYTES_MAX = 128 * 1024 * 1024;
const VERIFIED_FOR_MS = 10 * 60_000;
const VERIFIED_COUNT_MAX = 256;
const FAILURES_PER_WINDOW_MAX = 10;
const FAILURE_WINDOW_MS = 60_000;
const FAILING_ADDRESSES_MAX = 4096;
/** Checks at a time: bounds memory and keeps a flood of guesses from starving the thread pool that also writes files. */
const CHECKS_AT_A_TIME_MAX = 2;
const CHECKS_WAITING_MAX = 32;

/** Who came in, and who did not: for the audit. `name` is one of ours, or `unknown`. */
export interface AuthEvents {
  onLogin(name: string, remote: string): void;
  onRefused(name: string, remote: string): void;
  onForbidden(name: string, remote: string): void;
}

export class Authenticator {
  readonly #events: AuthEvents | undefined;
  readonly #users: readonly HttpUser[];
  readonly #clock: Clock;
  readonly #verified = new Map<string, { principal: Principal; untilMs: number }>();
  readonly #failures = new Map<string, { count: number; sinceMs: number }>();
  readonly #gate = new Gate(CHECKS_AT_A_TIME_MAX, CHECKS_WAITING_MAX);

  /** @throws CONFIG_INVALID when a hash has not the form above. */
  constructor(users: readonly HttpUser[], clock: Clock, events?: AuthEvents) {
    this.#events = events;
    for (const user of users) checkUser(user);
    this.#users = users;
    this.#clock = clock;
  }

  /** @throws HTTP_UNAUTHENTICATED, HTTP_FORBIDDEN, HTTP_TOO_MANY_ATTEMPTS */
  async authorize(authorization: string | undefined, remote: string, access: Access): Promise<Principal> {
    if (access === 'public') return ANONYMOUS;
    const principal = this.#users.length === 0 ? LOCAL : await this.#authenticate(authorization, remote);
    if (!RIGHTS[principal.role].has(access)) {
      this.#events?.onForbidden(principal.name, remote);
      throw new LetheError('HTTP_FORBIDDEN', { access });
    }
    return principal;
  }

  async #authenticate(authorization: string | undefined, remote: string): Promise<Principal> {
    if (authorization === undefined) throw new LetheError('HTTP_UNAUTHENTICATED');
    const digest = createHash('sha256').update(authorization).digest('base64');
    const now = this.#clock.monotonicMs();
    const known = this.#verified.get(digest);
    if (known !== undefined && known.untilMs > now) return known.principal;
    if (this.#failureCount(remote, now) >= FAILURES_PER_WINDOW_MAX) throw new LetheError('HTTP_TOO_MANY_ATTEMPTS');
    const user = await this.#gate.run(() => this.#verify(authorization));
    if (user === undefined) {
      this.#countFailure(remote, now);
      this.#events?.onRefused(this.#knownName(authorization), remote);
      throw new LetheError('HTTP_UNAUTHENTICATED');
    }
    const principal: Principal = {
      name: user.name,
      role: user.role,
      authenticated: true,
      ...(user.customer !== undefined && { customer: user.customer }),
    };
    forgetOldest(this.#verified, VERIFIED_COUNT_MAX);
    this.#events?.onLogin(user.name, remote);
    this.#verified.set(digest, { principal, untilMs: now + VERIFIED_FOR_MS });
    return principal;
  }

  /** What somebody else wrote in its place may be a password. */
  #knownName(authorization: string): string {
    const basic = /^basic +([\w+/]+=*)$/i.exec(authorization)?.[1] ?? '';
    const [name] = Buffer.from(basic, 'base64').toString('utf8').split(':');
    return this.#users.find((user) => user.name === name)?.name ?? 'unknown';
  }

  async #verify(authorization: string): Promise<HttpUser | undefined> {
    const bearer = /^bearer +([\w\-.~+/]+=*)$/i.exec(authorization)?.[1];
    if (bearer !== undefined) return this.#verifyToken(bearer);
    const basic = /^basic +([\w+/]+=*)$/i.exec(authorization)?.[1];
    if (basic === undefined) return undefined;
    const pair = Buffer.from(basic, 'base64').toString('utf8');
    const colon = pair.indexOf(':');
    if (colon < 0) return undefined;
    const user = this.#users.find(
      ({ name, passwordHash }) => name === pair.slice(0, colon) && passwordHash !== undefined,
    );
    // An unknown name costs as much as a wrong password, so that time does not tell which names exist.
    const matches = await verifyPassword(pair.slice(colon + 1), user?.passwordHash ?? NOBODY);
    return matches ? user : undefined;
  }

  #verifyToken(token: string): HttpUser | undefined {
    const hash = createHash('sha256').update(token).digest();
    let found: HttpUser | undefined;
    for (const user of this.#users) {
      if (user.tokenHash !== undefined && timingSafeEqual(hash, Buffer.from(user.tokenHash, 'hex'))) found = user;
    }
    return found;
  }

  #failureCount(remote: string, now: number): number {
    const failures = this.#failures.get(remote);
    return failures === undefined || now - failures.sinceMs > FAILURE_WINDOW_MS ? 0 : failures.count;
  }

  #countFailure(remote: string, now: number): void {
    const count = this.#failureCount(remote, now);
    const sinceMs = count === 0 ? now : (this.#failures.get(remote)?.sinceMs ?? now);
    this.#failures.delete(remote);
    forgetOldest(this.#failures, FAILING_ADDRESSES_MAX);
    this.#failures.set(remote, { count: count + 1, sinceMs });
  }
}

/** At most `running` at a time and `waiting` in line; who comes later is told to try again. */
class Gate {
  readonly #runningMax: number;
  readonly #waitingMax: number;
  readonly #line: (() => void)[] = [];
  #running = 0;

  constructor(runningMax: number, waitingMax: number) {
    this.#runningMax = runningMax;
    this.#waitingMax = waitingMax;
  }

  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#running >= this.#runningMax) {
      if (this.#line.length >= this.#waitingMax) throw new LetheError('HTTP_TOO_BUSY');
      await new Promise<void>((resolve) => this.#line.push(resolve));
    } else {
      this.#running++;
    }
    try {
      return await work();
    } finally {
      // A place is handed on, so `running` does not change while somebody waits.
      const next = this.#line.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

function forgetOldest(map: Map<string, unknown>, countMax: number): void {
  for (const key of map.keys()) {
    if (map.size < countMax) return;
    map.delete(key);
  }
}

/** For the configuration: what to write as `passwordHash`. */
export async function hashPassword(password: string, salt: Uint8Array = randomBytes(16)): Promise<string> {
  const { log2N, r, p, hashBytes } = SCRYPT;
  const hash = await derive(password, { salt: Buffer.from(salt), log2N, r, p, hashBytes });
  return `scrypt$${log2N}$${r}$${p}$${Buffer.from(salt).toString('base64url')}$${hash.toString('base64url')}`;
}

export async function verifyPassword(password: string, passwordHash: string): Promise<boolean> {
  const { hash, ...parameters } = parseHash(passwordHash);
  const derived = await derive(password, { ...parameters, hashBytes: hash.length });
  return timingSafeEqual(derived, hash);
}

interface ScryptParameters {
  readonly salt: Buffer;
  readonly log2N: number;
  readonly r: number;
  readonly p: number;
  readonly hashBytes: number;
}

function derive(password: string, { salt, log2N, r, p, hashBytes }: ScryptParameters): Promise<Buffer> {
  const options = { N: 2 ** log2N, r, p, maxmem: SCRYPT_MEMORY_BYTES_MAX };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, hashBytes, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

const HASH = /^scrypt\$(1[0-9])\$([1-9]|[12][0-9])\$([1-9])\$([\w-]{16,86})\$([\w-]{43,86})$/;
/** A hash that no password has; only its cost matters. */
const NOBODY = `scrypt$${SCRYPT.log2N}$${SCRYPT.r}$${SCRYPT.p}$${'A'.repeat(22)}$${'A'.repeat(43)}`;

function parseHash(text: string): Omit<ScryptParameters, 'hashBytes'> & { hash: Buffer } {
  const [, log2N, r, p, salt, hash] = HASH.exec(text) ?? [];
  if (salt === undefined || hash === undefined || 128 * 2 ** Number(log2N) * Number(r) > SCRYPT_MEMORY_BYTES_MAX) {
    throw new LetheError('CONFIG_INVALID', { what: 'http.users passwordHash' });
  }
  return {
    log2N: Number(log2N),
    r: Number(r),
    p: Number(p),
    salt: Buffer.from(salt, 'base64url'),
    hash: Buffer.from(hash, 'base64url'),
  };
}

function checkUser(user: HttpUser): void {
  if (user.name === '' || user.name.includes(':')) throw new LetheError('CONFIG_INVALID', { what: 'http.users name' });
  if (user.passwordHash === undefined && user.tokenHash === undefined) {
    throw new LetheError('CONFIG_INVALID', { what: 'http.users without passwordHash and tokenHash' });
  }
  if (user.passwordHash !== undefined) parseHash(user.passwordHash);
  if (user.tokenHash !== undefined && !/^[0-9a-f]{64}$/.test(user.tokenHash)) {
    throw new LetheError('CONFIG_INVALID', { what: 'http.users tokenHash' });
  }
}
