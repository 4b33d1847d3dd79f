/** The listener's options as the configuration says them; `conformance` prints the same. */
import { resolve } from 'node:path';
import { isLoopback, openSecret, sizeBytes } from '../config/load.ts';
import type { Configuration, SecretReference } from '../config/schema.ts';
import { PEM_BYTES_MAX, readTextFile } from '../core/bounded-file.ts';
import { systemClock, systemRandom } from '../core/clock.ts';
import { LetheError } from '../core/errors.ts';
import { publicTokenKey, secretTokenKey, subjectOf, type TokenPolicy } from '../dimse/json-web-token.ts';
import { STORAGE_COMMITMENT_PUSH_MODEL } from '../dimse/negotiation.ts';
import { USER_IDENTITY_TYPE } from '../dimse/pdu.ts';
import type { PeerPolicy } from '../dimse/peer-policy.ts';
import type { StorageScpOptions } from '../dimse/storage-scp.ts';
import type { UserIdentityPolicy } from '../dimse/user-identity.ts';

/** Where secrets and key files are found. */
export interface SecretContext {
  readonly baseDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Without a context no secret is opened: enough to describe the listener, and its identities let nobody in.
 * @throws CONFIG_SECRET_MISSING, CONFIG_UNREADABLE, CONFIG_INVALID
 */
export function scpOptions({ dicom }: Configuration, context?: SecretContext): StorageScpOptions {
  const peers: PeerPolicy = dicom.peers ?? (isLoopback(dicom.host) ? 'any' : []);
  const { maxInstancesPerAssociation, maxBytesPerAssociation } = dicom;
  return {
    host: dicom.host,
    port: dicom.plain ? dicom.port : undefined,
    furtherPorts: dicom.plain ? dicom.furtherPorts : [],
    ...(dicom.tls === undefined ? {} : { tls: dicom.tls }),
    aeTitles: [{ aeTitle: dicom.aeTitle }, ...dicom.aeTitles],
    peers,
    ...(dicom.userIdentity === undefined ? {} : { users: userIdentityPolicy(dicom.userIdentity, context) }),
    maxAssociations: dicom.maxAssociations,
    maxAssociationsPerPeer: dicom.maxAssociationsPerPeer,
    ...(maxInstancesPerAssociation === undefined ? {} : { maxInstancesPerAssociation }),
    ...(maxBytesPerAssociation === undefined ? {} : { maxBytesPerAssociation: sizeBytes(maxBytesPerAssociation) }),
    negotiation: {
      maxPduLengthBytes: dicom.maxPduBytes,
      unknownSopClasses: dicom.unknownSopClasses,
      unknownTransferSyntaxes: dicom.unknownTransferSyntaxes,
      preferredTransferSyntaxes: dicom.preferredTransferSyntaxes,
      operationsPerformedMax: dicom.maxOperations,
      furtherSopClasses: new Set(dicom.commitment === 'off' ? [] : [STORAGE_COMMITMENT_PUSH_MODEL]),
    },
    validation: dicom.validation,
    timers: {
      artimTimeoutMs: dicom.artimSeconds * 1000,
      idleTimeoutMs: dicom.idleSeconds * 1000,
      dimseTimeoutMs: dicom.dimseSeconds * 1000,
      writeTimeoutMs: dicom.writeSeconds * 1000,
    },
  };
}

type UserIdentity = NonNullable<Configuration['dicom']['userIdentity']>;

function userIdentityPolicy(identity: UserIdentity, context: SecretContext | undefined): UserIdentityPolicy {
  const { required, jwt } = identity;
  const tokens = jwt === undefined ? {} : { tokenTypes: [USER_IDENTITY_TYPE.jwt] };
  const users = identity.users.map(({ name, passcode }) =>
    passcode === undefined ? { name } : { name, passcode: context === undefined ? closed() : open(passcode, context) },
  );
  if (jwt === undefined || context === undefined) return { required, users, ...tokens };
  const policy = tokenPolicy(jwt, context);
  return {
    required,
    users,
    ...tokens,
    verifyToken: (type, token) =>
      type === USER_IDENTITY_TYPE.jwt ? subjectOf(token, policy, systemClock.nowMs()) : undefined,
  };
}

function open(reference: SecretReference, { baseDir, env }: SecretContext): string {
  return openSecret(reference, baseDir, env);
}

/** In the place of a passcode that was not opened: nobody can guess it. */
function closed(): string {
  return Buffer.from(systemRandom.bytes(32)).toString('hex');
}

function tokenPolicy(jwt: NonNullable<UserIdentity['jwt']>, { baseDir, env }: SecretContext): TokenPolicy {
  const { publicKey, secret, issuer, audience } = jwt;
  if ((publicKey === undefined) === (secret === undefined))
    throw new LetheError('CONFIG_INVALID', {
      key: 'dicom.userIdentity.jwt',
      problem: 'takes exactly one of publicKey and secret',
    });
  const key =
    secret === undefined
      ? publicTokenKey(readTextFile(resolve(baseDir, publicKey ?? ''), PEM_BYTES_MAX))
      : secretTokenKey(open(secret, { baseDir, env }));
  return { key, ...(issuer === undefined ? {} : { issuer }), ...(audience === undefined ? {} : { audience }) };
}
