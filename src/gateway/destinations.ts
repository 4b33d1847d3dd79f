/** Builds destinations from the configuration: secrets are opened, paths made absolute, files read, defaults decided. */
import { readFileSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { openSecret, sizeBytes } from '../config/load.ts';
import type { AuthConfiguration, Configuration, DestinationConfiguration, SecretReference } from '../config/schema.ts';
import { LetheError } from '../core/errors.ts';
import type { AuthOptions, Secret } from '../delivery/auth.ts';
import type { Destination } from '../delivery/destination.ts';
import { dicomDestination } from '../delivery/dicom/dicom.ts';
import { folderDestination } from '../delivery/folder/folder.ts';
import type { HttpOptions } from '../delivery/http-client.ts';
import { imageApiDestination } from '../delivery/image-api/image-api.ts';
import { s3Destination } from '../delivery/s3/s3.ts';
import { stowRsDestination } from '../delivery/stow-rs/stow-rs.ts';
import type { DestinationTaker } from './prepare.ts';

export interface DestinationContext {
  readonly baseDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly batching: Configuration['batching'];
  /** Our AE title where a destination names none. */
  readonly callingAeTitle: string;
}

/** @throws CONFIG_SECRET_MISSING, CONFIG_UNREADABLE, CONFIG_INVALID */
export function destinationOf(configuration: DestinationConfiguration, context: DestinationContext): Destination {
  const { name } = configuration;
  switch (configuration.type) {
    case 'image-api':
      return imageApiDestination(name, {
        ...httpOptions(configuration, context),
        gzip: configuration.gzip,
        maxImages: context.batching.maxImages,
        maxBytes: sizeBytes(context.batching.maxBytes),
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
      });
    case 'folder':
      return folderDestination(name, { path: absolute(configuration.path, context) });
    case 's3':
      return s3Destination(name, {
        url: configuration.url,
        region: configuration.region,
        accessKeyId: openSecret(configuration.accessKeyId, context.baseDir, context.env),
        secretAccessKey: secret(configuration.secretAccessKey, context),
        ...(configuration.prefix === undefined ? {} : { prefix: configuration.prefix }),
      });
  }
}

export function takerOf(configuration: DestinationConfiguration): DestinationTaker {
  const byType = configuration.type === 'image-api' ? 'images' : 'all';
  return { name: configuration.name, accepts: configuration.accepts ?? byType };
}

type HttpDestination = Extract<DestinationConfiguration, { type: 'image-api' | 'stow-rs' }>;

function httpOptions(configuration: HttpDestination, context: DestinationContext): HttpOptions {
  const { url, auth, ca, clientCert, proxy, timeoutSeconds } = configuration;
  const tls = {
    ...(ca === undefined ? {} : { ca: pem(ca, context) }),
    ...(clientCert === undefined ? {} : { cert: pem(clientCert.cert, context), key: pem(clientCert.key, context) }),
  };
  return {
    url,
    timeouts: { answerMs: timeoutSeconds * 1000 },
    ...(auth === undefined ? {} : { auth: authOptions(auth, context) }),
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
    ...(proxy === undefined ? {} : { proxy }),
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
      const { type, tokenUrl, clientId, clientSecret, scope } = auth;
      return {
        type,
        tokenUrl,
        clientId,
        clientSecret: secret(clientSecret, context),
        ...(scope === undefined ? {} : { scope }),
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
  const file = absolute(path, context);
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new LetheError('CONFIG_UNREADABLE', { path: file }, { cause: error });
  }
}
