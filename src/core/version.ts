/** Who we say we are on the wire and in files (PS3.7 Annex D.3.3.2). */

export const VERSION = '0.1.0';

/** Implementation Class UID: a UUID-derived UID (PS3.5 §B.2), ours for the life of the product. */
export const IMPLEMENTATION_CLASS_UID = '2.25.111911173103181130720342129634282832875';

/** Implementation Version Name, at most 16 characters. */
export const IMPLEMENTATION_VERSION_NAME = 'LETHE_0_1';
