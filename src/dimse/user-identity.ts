/**
 * User identity negotiation, PS3.7 §D.3.3.7: a username, a username with passcode, or a token that somebody else
 * verifies (Kerberos, SAML, JSON Web Token). Pure. Fields are secrets: nothing of them goes into an error or a log; only
 * the name of an accepted user leaves this file.
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
  /** The user's name for a token of type 3, 4 or 5; undefined refuses it. Absent: tokens are refused. */
  readonly verifyToken?: (type: number, token: Uint8Array) => string | undefined;
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
