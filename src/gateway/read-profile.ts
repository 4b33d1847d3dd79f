/** A profile made ready by the name that the configuration has for it. */
import { type CompiledProfile, compileProfile } from '../deid/profile.ts';
import { profilePath, profileText } from './profile-text.ts';

/** With the file's path in the words of an error. @throws CONFIG_UNREADABLE, DEID_PROFILE_INVALID */
export function readProfile(name: string, baseDir: string): CompiledProfile {
  return compileProfile(profileText(name, baseDir), profilePath(name, baseDir));
}
