/** Builds destinations from the configuration: secrets are opened, paths made absolute, files read, defaults decided. */
import { isAbsolute, resolve } from 'node:path';
import { openSecret, sizeBytes } from '../config/load.ts';
import type { AuthConfiguration, Configuration, DestinationConfiguration, SecretReference } from '../config/schema.ts';
import { PEM_BYTES_MAX, readTextFile } from '../core/bounded-file.ts';
import { LetheError } from '../core/errors.ts';
import type { AuthOptions, Secret } from '../delivery/auth.ts';
import { BREAKER_OPTIONS } from '../delivery/breaker.ts';
import type { Destination } from '../delivery/destination.ts';
import { dicomDestination } from '../delivery/dicom/dicom.ts';
import type { Contents } from '../delivery/files.ts';
import { folderDestination } from '../delivery/folder/folder.ts';
import type { HttpOptions } from '../delivery/http-client.ts';
import { imageApiDestination } from '../delivery/image-api/image-api.ts';
import { opensInMs, parseTimeWindow } from '../delivery/pace.ts';
import { type S3Options, s3Destination } from '../delivery/s3/s3.ts';
import { stowRsDestination } from '../delivery/stow-rs/stow-rs.ts';
import type { TlsOptions } from '../delivery/tls.ts';
import type { DispatchOptions } from './dispatch.ts';
import type { DestinationTaker, Rendering } from './outputs.ts';

export interface DestinationContext {
  readonly baseDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly batching: Configuration['batching'];
  /** Our AE title where a destination names none. */
  readonly callingAeTitle: string;
}

const LANES = 2; // requests to one destination at once: one is built while the other is answered

/** @throws CONFIG_SECRET_MISSING, CONFIG_UNREADABLE, CONFIG_INVALID */
export function destinationOf(configuration: DestinationConfiguration, context: DestinationContext): Destination {
  const { name } = configuration;
  const batching = { ...context.batching, ...configuration.batching };
  switch (configuration.type) {
    case 'image-api':
      return imageApiDestination(name, {
        ...httpOptions(configuration, context),
        gzip: configuration.gzip,
        maxImages: batching.maxImages,
        maxBytes: sizeBytes(batching.maxBytes),
        ...(configuration.openapi === undefined ? {} : { openapi: absolute(configuration.openapi, context) }),
      });
    case 'stow-rs':
      return stowRsDestination(name, httpOptions(configuration, context));
    case 'dicom':
      return dicomDestination(name, {
        host: configuration.host,
        port: configuration.port,
        calledAeTitle: configuration.calledAeTitle,
        callingAeTitle: configuration.callingAeTitle ?? context.callingAeTitle,
        dimseTimeoutMs: configuration.timeoutSeconds * 1000,
        operationsInvoked: configuration.maxOperations,
        restMs: configuration.restSeconds * 1000,
        ...(configuration.statuses === undefined ? {} : { statuses: configuration.statuses }),
        ...(configuration.tls === undefined ? {} : { tls: tlsOptions(configuration.tls, context) }),
        ...rateOf(configuration),
      });
    case 'folder':
      return folderDestination(name, {
        path: absolute(configuration.path, context),
        ...contentsOf(configuration),
        ...rateOf(configuration),
      });
    case 's3':
      return s3Destination(name, s3Options(configuration, context));
  }
}

function s3Options(configuration: DestinationConfiguration & { type: 's3' }, context: DestinationContext): S3Options {
  const { url, region, secretAccessKey, sessionToken, partBytes, ca, proxy, prefix } = configuration;
  return {
    url,
    region,
    accessKeyId: openSecret(configuration.accessKeyId, context.baseDir, context.env),
    secretAccessKey: secret(secretAccessKey, context),
    ...(sessionToken === undefined ? {} : { sessionToken: secret(sessionToken, context) }),
    ...(partBytes === undefined ? {} : { partBytes: sizeBytes(partBytes) }),
    ...(ca === undefined ? {} : { tls: { ca: pem(ca, context) } }),
    ...(proxy === undefined ? {} : { proxy }),
    ...(prefix === undefined ? {} : { prefix }),
    ...contentsOf(configuration),
    ...rateOf(configuration),
  };
}

function contentsOf({ contents }: { contents?: Contents }): { contents?: Contents } {
  return contents === undefined ? {} : { contents };
}

function rateOf({ pace }: DestinationConfiguration): { bytesPerSecond?: number } {
  return pace?.bytesPerSecond === undefined ? {} : { bytesPerSecond: sizeBytes(pace.bytesPerSecond) };
}

export function takerOf(configuration: DestinationConfiguration): DestinationTaker {
  const { name, type, accepts, filter, profile, rendering } = configuration;
  const contents = 'contents' in configuration ? configuration.contents : undefined;
  return {
    name,
    accepts: accepts ?? (type === 'image-api' ? 'images' : 'all'),
    wantsObject: type !== 'image-api' && contents !== 'images',
    wantsImages: type === 'image-api' || ((type === 'folder' || type === 's3') && contents !== 'dicom'),
    ...(filter === undefined ? {} : { filter: filterOf(filter) }),
    ...(profile === undefined ? {} : { profile }),
    ...(rendering === undefined ? {} : { rendering: renderingOf(rendering) }),
  };
}

/** Whether the DICOM object goes to the destination of that name; false where there is none. */
export function objectWanted(configurations: readonly DestinationConfiguration[] = []): (name: string) => boolean {
  const names = new Set(configurations.map(takerOf).flatMap(({ name, wantsObject }) => (wantsObject ? [name] : [])));
  return (name) => names.has(name);
}

function filterOf({ modalities, sopClasses, exceptSopClasses }: NonNullable<DestinationConfiguration['filter']>) {
  return {
    ...(modalities === undefined ? {} : { modalities }),
    ...(sopClasses === undefined ? {} : { sopClasses }),
    ...(exceptSopClasses === undefined ? {} : { exceptSopClasses }),
  };
}

/** Of the site or of one destination: what is not written is not there, so that one can be laid over the other. */
export function renderingOf<Written extends Partial<Record<keyof Rendering, unknown>>>(written: Written) {
  const { format, quality, onUnrepresentable, maxEdge, frames } = written;
  const entries = Object.entries({ format, quality, onUnrepresentable, maxEdge, frames });
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Pick<
    Written,
    keyof Rendering & keyof Written
  >;
}

/** Budget, batches and pace of one destination. @throws CONFIG_INVALID for a window or a time zone */
export function dispatchOptionsOf(one: DestinationConfiguration, site: Configuration): DispatchOptions {
  const batching = { ...site.batching, ...one.batching };
  const limits = { ...site.limits, ...one.limits };
  return {
    batching: {
      by: batching.by,
      maxInstances: batching.maxImages,
      maxBytes: sizeBytes(batching.maxBytes),
      idleMs: batching.idleSeconds * 1000,
    },
    retry: {
      attemptsMax: limits.maxAttempts,
      ageMaxMs: limits.maxAgeHours * 3_600_000,
      baseMs: limits.retryBaseSeconds * 1000,
      maxMs: limits.retryMaxSeconds * 1000,
    },
    breaker: BREAKER_OPTIONS,
    lanes: one.pace?.connections ?? LANES,
    opensInMs: windowsOf(one),
  };
}

function windowsOf({ name, pace }: DestinationConfiguration): (nowMs: number) => number {
  const windows = (pace?.windows ?? []).map((text) => parseTimeWindow(text));
  const zone = pace?.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  try {
    opensInMs(windows, 0, zone);
  } catch (error) {
    throw new LetheError('CONFIG_INVALID', { destination: name, problem: 'timeZone is not known' }, { cause: error });
  }
  return (nowMs) => opensInMs(windows, nowMs, zone);
}

type HttpDestination = Extract<DestinationConfiguration, { type: 'image-api' | 'stow-rs' }>;

function httpOptions(configuration: HttpDestination, context: DestinationContext): HttpOptions {
  const { url, auth, proxy, timeoutSeconds, headers } = configuration;
  const tls = tlsOptions(configuration, context);
  return {
    url,
    ...rateOf(configuration),
    ...(headers === undefined ? {} : { headers }),
    timeouts: { answerMs: timeoutSeconds * 1000 },
    ...(auth === undefined ? {} : { auth: authOptions(auth, context) }),
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
    ...(proxy === undefined ? {} : { proxy }),
  };
}

function tlsOptions(
  { ca, clientCert }: { ca?: string; clientCert?: { cert: string; key: string } },
  context: DestinationContext,
): TlsOptions {
  return {
    ...(ca === undefined ? {} : { ca: pem(ca, context) }),
    ...(clientCert === undefined ? {} : { cert: pem(clientCert.cert, context), key: pem(clientCert.key, context) }),
  };
}

function authOptions(auth: AuthConfiguration, context: DestinationContext): AuthOptions {
  switch (auth.type) {
    case 'none':
      return auth;
    case 'basic':
      return { ...auth, password: secret(auth.password, context) };
    case 'bearer':
      return { ...auth, token: secret(auth.token, context) };
    case 'api-key':
      return { ...auth, key: secret(auth.key, context) };
    case 'oauth2': {
      const { type, tokenUrl, clientId, clientSecret, scope, audience, credentialsIn } = auth;
      return {
        type,
        tokenUrl,
        clientId,
        clientSecret: secret(clientSecret, context),
        ...(scope === undefined ? {} : { scope }),
        ...(audience === undefined ? {} : { audience }),
        ...(credentialsIn === undefined ? {} : { credentialsIn }),
      };
    }
  }
}

/** Files stay files, so that a token that is rotated on disk is read again; everything must exist at start-up. */
function secret(reference: SecretReference, context: DestinationContext): Secret {
  const value = openSecret(reference, context.baseDir, context.env);
  return typeof reference === 'object' && 'file' in reference ? { file: absolute(reference.file, context) } : value;
}

function absolute(path: string, context: DestinationContext): string {
  return isAbsolute(path) ? path : resolve(context.baseDir, path);
}

function pem(path: string, context: DestinationContext): string {
  return readTextFile(absolute(path, context), PEM_BYTES_MAX);
}
