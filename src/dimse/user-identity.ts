/**
 * User identity negotiation, PS3.7 §D.3.3.7: a username (1), a username with passcode (2), a JSON Web Token (5); Kerberos
 * (3) and SAML (4) need somebody else to verify them. Pure. Fields are secrets: nothing of them goes into an error or a
 * log; only the name of an accepted user leaves this file.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { USER_IDENTITY_TYPE, type UserIdentityRq } from './pdu.ts';

export interface User {
  readonly name: string;
  /** Absent: the name alone is enough (type 1). */
  readonly passcode?: string;
}

export interface UserIdentityPolicy {
  /** Associations without an accepted identity are rejected. */
  readonly required: boolean;
  readonly users: readonly User[];
  /** The user's name for a token of type 3, 4 or 5; undefined refuses it. */
  readonly verifyToken?: (type: number, token: Uint8Array) => string | undefined;
  /** The types that `verifyToken` knows; of others nobody can say whether they are right. */
  readonly tokenTypes?: readonly number[];
}

/** `unknown`: an identity of a type that is not verified here, which the Standard lets an acceptor pass over. */
export type IdentityVerdict =
  | { readonly kind: 'accepted'; readonly user: string }
  | { readonly kind: 'refused' | 'unknown' };

export function verdictOn(policy: UserIdentityPolicy, identity: UserIdentityRq): IdentityVerdict {
  const user = userOf(policy, identity);
  if (user !== undefined) return { kind: 'accepted', user };
  return { kind: identityTypesOf(policy).includes(identity.type) ? 'refused' : 'unknown' };
}

/** What the policy can verify, for the conformance statement too. */
export function identityTypesOf({ users, tokenTypes = [] }: UserIdentityPolicy): number[] {
  return [
    ...(users.some(({ passcode }) => passcode === undefined) ? [USER_IDENTITY_TYPE.username] : []),
    ...(users.length > 0 ? [USER_IDENTITY_TYPE.usernameAndPasscode] : []),
    ...tokenTypes,
  ];
}

/** The name of the user that the identity proves; undefined: none. */
export function userOf(policy: UserIdentityPolicy, identity: UserIdentityRq): string | undefined {
  switch (identity.type) {
    case USER_IDENTITY_TYPE.username:
      return policy.users.find((user) => user.passcode === undefined && same(user.name, identity.primary))?.name;
    case USER_IDENTITY_TYPE.usernameAndPasscode:
      return policy.users.find(
        ({ name, passcode }) =>
          same(name, identity.primary) && passcode !== undefined && same(passcode, identity.secondary),
      )?.name;
    default:
      return policy.verifyToken?.(identity.type, identity.primary);
  }
}

/** In constant time, whatever the lengths. */
function same(expected: string, given: Uint8Array): boolean {
  return timingSafeEqual(sha256(Buffer.from(expected, 'utf8')), sha256(given));
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
