/**
 * The one table of failures: every typed error of the product is a row here, and `docs/errors.md` is printed from it.
 *
 * `blame` says whose fault it is, `disposition` what to do next: retry decisions look at the disposition and at nothing
 * else. A message may carry tags, VRs, offsets, lengths, counts and our own instance id; it never carries an element
 * value, a file name given by a sender, or anything else that may identify a person.
 *
 * One file, however long: a code that is written twice does not compile here, where tables of floors put together would
 * let the later one win; and every floor needs the table of those below it, so that all of them would stand in `core`.
 */

/** Whose fault: the sender, the operator (configuration, disk), the destination, or this program. */
export type Blame = 'peer' | 'operator' | 'destination' | 'us';

/**
 * What to do next. `retry`: the same may succeed later. `ambiguous`: it may have happened; repeat only where that is
 * safe. `reject`: refuse it to whoever offered it. `hold`: a person must look. `warn`: a person should know, the work goes
 * on. `bug`: an invariant of ours broke.
 */
export type Disposition = 'retry' | 'ambiguous' | 'reject' | 'hold' | 'warn' | 'bug';

export interface ErrorRow {
  readonly blame: Blame;
  readonly disposition: Disposition;
  /** DIMSE status where a C-STORE is answered with this (PS3.4 Table B.2-1, PS3.7 Annex C). */
  readonly dimseStatus?: number;
  /** HTTP status where an HTTP request is answered with this. */
  readonly httpStatus?: number;
  /** One sentence for the operator. What happened, then what to do. */
  readonly message: string;
}

export const ERRORS = {
  // core
  INVARIANT: {
    blame: 'us',
    disposition: 'bug',
    dimseStatus: 0x0110,
    httpStatus: 500,
    message: 'An invariant of the program broke; nothing was lost. Report it with the log line beside it.',
  },

  // config
  CONFIG_INVALID: {
    blame: 'operator',
    disposition: 'reject',
    message: 'The configuration is not valid; correct the line that is named.',
  },
  CONFIG_UNREADABLE: {
    blame: 'operator',
    disposition: 'reject',
    message: 'The configuration file cannot be read; check its path and permissions.',
  },
  CONFIG_SECRET_MISSING: {
    blame: 'operator',
    disposition: 'reject',
    message: 'A secret named by the configuration is missing; provide the file or the environment variable.',
  },

  // dicom
  DICOM_NOT_PART10: {
    blame: 'peer',
    disposition: 'reject',
    dimseStatus: 0xc000,
    httpStatus: 400,
    message: 'The bytes are not a DICOM Part 10 file.',
  },
  DICOM_TRUNCATED: {
    blame: 'peer',
    disposition: 'hold',
    dimseStatus: 0xc001,
    httpStatus: 400,
    message: 'The data set ends before a length that it declares; send the instance again.',
  },
  DICOM_MALFORMED: {
    blame: 'peer',
    disposition: 'hold',
    dimseStatus: 0xc002,
    httpStatus: 400,
    message: 'The data set breaks the encoding rules of PS3.5.',
  },
  DICOM_TOO_DEEP: {
    blame: 'peer',
    disposition: 'hold',
    dimseStatus: 0xc003,
    httpStatus: 400,
    message: 'Sequences are nested deeper than the limit.',
  },
  DICOM_TOO_LARGE: {
    blame: 'peer',
    disposition: 'hold',
    dimseStatus: 0xc004,
    httpStatus: 413,
    message: 'An element or the data set is larger than the limit for what has to be in memory.',
  },
  DICOM_TRANSFER_SYNTAX_UNKNOWN: {
    blame: 'peer',
    disposition: 'hold',
    dimseStatus: 0xc005,
    httpStatus: 400,
    message: 'The transfer syntax is not known, so the data set cannot be read.',
  },
  DICOM_CHARSET_UNKNOWN: {
    blame: 'peer',
    disposition: 'hold',
    message: 'Specific Character Set (0008,0005) has a value that is not defined in PS3.3 C.12.1.1.2.',
  },

  // dimse
  DIMSE_PDU_TOO_LONG: { blame: 'peer', disposition: 'reject', message: 'A PDU is longer than what was negotiated.' },
  DIMSE_PDU_MALFORMED: {
    blame: 'peer',
    disposition: 'reject',
    message: 'A PDU breaks PS3.8; the association was aborted.',
  },
  DIMSE_PDU_UNEXPECTED: {
    blame: 'peer',
    disposition: 'reject',
    message: 'A PDU arrived in a state in which PS3.8 Table 9-10 does not allow it; the association was aborted.',
  },
  DIMSE_COMMAND_MALFORMED: {
    blame: 'peer',
    disposition: 'reject',
    dimseStatus: 0x0212,
    message: 'A command set breaks PS3.7.',
  },
  DIMSE_ASSOCIATION_REJECTED: {
    blame: 'destination',
    disposition: 'retry',
    message: 'The peer rejected the association; result, source and reason are in the log line.',
  },
  DIMSE_ASSOCIATION_ABORTED: {
    blame: 'destination',
    disposition: 'ambiguous',
    message: 'The association was aborted before the answer came.',
  },
  DIMSE_TIMEOUT: {
    blame: 'peer',
    disposition: 'ambiguous',
    message: 'A timer of the upper layer or of DIMSE expired.',
  },
  DIMSE_QUERY_FAILED: {
    blame: 'destination',
    disposition: 'hold',
    message: 'The archive answered a query with a failure; its status is in the detail.',
  },
  DIMSE_ANSWER_UNREADABLE: {
    blame: 'destination',
    disposition: 'hold',
    message: 'An answer of the archive to a query cannot be read.',
  },
  DIMSE_NO_CONTEXT: {
    blame: 'destination',
    disposition: 'hold',
    message: 'The peer accepted no presentation context for this SOP class and transfer syntax.',
  },
  DIMSE_NOT_AUTHORIZED: {
    blame: 'peer',
    disposition: 'reject',
    dimseStatus: 0x0124,
    message: 'The peer policy does not allow this sender.',
  },
  DIMSE_SOP_CLASS_MISMATCH: {
    blame: 'peer',
    disposition: 'reject',
    dimseStatus: 0xa900,
    message: 'SOP Class or SOP Instance UID of the command and of the data set differ.',
  },
  DIMSE_SOP_CLASS_NOT_SUPPORTED: {
    blame: 'peer',
    disposition: 'reject',
    dimseStatus: 0x0122,
    message: 'The presentation context is not one for this operation.',
  },
  DIMSE_COMMITMENT_INVALID: {
    blame: 'peer',
    disposition: 'reject',
    dimseStatus: 0x0115,
    message: 'A storage commitment request cannot be read or names nothing, or the peer refused our report.',
  },
  DIMSE_DATA_SET_UNREADABLE: {
    blame: 'peer',
    disposition: 'reject',
    dimseStatus: 0xc000,
    message: 'The data set cannot be read as far as its UIDs; it does not follow PS3.5.',
  },
  DIMSE_DUPLICATE_INVOCATION: {
    blame: 'peer',
    disposition: 'reject',
    dimseStatus: 0x0210,
    message: 'The Message ID is that of a request still in progress.',
  },
  DIMSE_STUDY_UID_MISSING: {
    blame: 'peer',
    disposition: 'reject',
    dimseStatus: 0xa901,
    message: 'The data set has no Study or Series Instance UID, or one that is malformed.',
  },
  DIMSE_LIMIT_REACHED: {
    blame: 'peer',
    disposition: 'retry',
    dimseStatus: 0x0213,
    message: 'An association brought more instances or bytes than one may; the peer continues on a new one.',
  },
  DIMSE_INVALID_UID: {
    blame: 'peer',
    disposition: 'reject',
    dimseStatus: 0x0117,
    message: 'The SOP Instance UID is malformed.',
  },

  // queue: spool and store
  SPOOL_FULL: {
    blame: 'operator',
    disposition: 'retry',
    dimseStatus: 0xa700,
    httpStatus: 503,
    message: 'Free disk space is below the limit; free some space or move dataDir.',
  },
  SPOOL_IO: {
    blame: 'operator',
    disposition: 'retry',
    dimseStatus: 0xa701,
    httpStatus: 503,
    message: 'The spool cannot be written or read; check the disk.',
  },
  SPOOL_CORRUPT: {
    blame: 'operator',
    disposition: 'hold',
    message: 'Spooled bytes do not match their digest; the disk or another program changed them.',
  },
  STORE_UNAVAILABLE: {
    blame: 'operator',
    disposition: 'retry',
    dimseStatus: 0xa702,
    httpStatus: 503,
    message: 'The store does not answer; check the database.',
  },
  STORE_SCHEMA_NEWER: {
    blame: 'operator',
    disposition: 'reject',
    message: 'The database was written by a newer version; run that version or restore a backup.',
  },
  INSTANCE_DUPLICATE: {
    blame: 'peer',
    disposition: 'reject',
    dimseStatus: 0x0111,
    httpStatus: 409,
    message: 'The SOP Instance UID is already stored with other content, and the policy refuses that.',
  },
  AUDIT_KEY_UNREADABLE: {
    blame: 'operator',
    disposition: 'reject',
    message: 'The key that signs the audit cannot be used; give it back, readable by its owner alone.',
  },
  AUDIT_CHECKPOINT_INVALID: {
    blame: 'operator',
    disposition: 'reject',
    message: 'The file of audit checkpoints cannot be read; the line is named.',
  },
  AUDIT_SYSLOG_UNREACHABLE: {
    blame: 'destination',
    disposition: 'retry',
    message: 'The audit repository (syslog) cannot be reached; messages wait in the audit and are sent later.',
  },
  AUDIT_CHAIN_BROKEN: {
    blame: 'operator',
    disposition: 'reject',
    message: 'The audit chain does not verify; the first broken entry is named.',
  },

  // text detection
  TEXT_DETECTION_FAILED: {
    blame: 'us',
    disposition: 'hold',
    message: 'The process that reads text in pixels gave no answer, twice; release the instance to try again.',
  },

  // deid
  DEID_PROFILE_INVALID: {
    blame: 'operator',
    disposition: 'reject',
    message: 'The de-identification profile is not valid; correct the line that is named.',
  },
  DEID_KEY_MISSING: {
    blame: 'operator',
    disposition: 'reject',
    message: 'The pseudonym key is missing although data made with it exist; restore the key from your backup.',
  },
  DEID_STUDIES_KEY_MISSING: {
    blame: 'operator',
    disposition: 'warn',
    message:
      'The key of the record which patient a study belongs to was missing; the record began anew. Restore keys/studies.key from your backup.',
  },
  DEID_KEY_INVALID: {
    blame: 'operator',
    disposition: 'reject',
    message: 'The key file must hold 64 hexadecimal digits and be readable by its owner alone.',
  },
  DEID_ACTION_FAILED: {
    blame: 'peer',
    disposition: 'hold',
    message: 'An action of the profile could not be carried out on an element; the path is named.',
  },
  DEID_LEAK_SUSPECTED: {
    blame: 'peer',
    disposition: 'hold',
    message: 'An identifier of this instance was found in what was about to leave; the path is named.',
  },
  DEID_STUDY_TWO_PATIENTS: {
    blame: 'peer',
    disposition: 'hold',
    message:
      'One Study Instance UID came with two patient IDs; correct the study at the PACS, then release or discard.',
  },
  DEID_BURNED_IN_SUSPECT: {
    blame: 'peer',
    disposition: 'hold',
    message: 'The pixels may show identifying text that could not be removed with certainty; review the instance.',
  },
  DEID_TEXT_DOUBTFUL: {
    blame: 'peer',
    disposition: 'hold',
    message: 'Something in the pixels may be text, but could not be read surely; look at the boxes and decide.',
  },
  DEID_TEXT_REMAINS: {
    blame: 'us',
    disposition: 'hold',
    message: 'Text was still found in the pixels after redaction; look at the boxes and decide.',
  },
  DEID_RECOGNIZABLE_FACE: {
    blame: 'peer',
    disposition: 'hold',
    message: 'The volume may show a recognizable face, and the policy holds such instances.',
  },
  DEID_UNSUPPORTED_CONTENT: {
    blame: 'peer',
    disposition: 'hold',
    message: 'The object carries content that cannot be cleaned with certainty; review or discard it.',
  },
  DEID_LOOKUP_MISSING: {
    blame: 'operator',
    disposition: 'hold',
    message: 'A lookup table of the profile has no entry for this instance; add it and retry.',
  },

  // imaging
  IMAGING_SYNTAX_UNSUPPORTED: {
    blame: 'peer',
    disposition: 'hold',
    httpStatus: 422,
    message: 'There is no decoder for this transfer syntax.',
  },
  IMAGING_PIXEL_DATA_MISSING: {
    blame: 'peer',
    disposition: 'hold',
    httpStatus: 422,
    message: 'The instance declares an image but has no pixel data, or fewer frames than it declares.',
  },
  IMAGING_DESCRIPTION_INVALID: {
    blame: 'peer',
    disposition: 'hold',
    httpStatus: 422,
    message: 'The image attributes contradict each other or the limits.',
  },
  IMAGING_CODESTREAM_INVALID: {
    blame: 'peer',
    disposition: 'hold',
    httpStatus: 422,
    message: 'A compressed frame is damaged, truncated, or contradicts the image attributes.',
  },
  IMAGING_TIMEOUT: {
    blame: 'peer',
    disposition: 'hold',
    httpStatus: 422,
    message: 'A frame took longer to decode than the limit; it is probably damaged.',
  },
  IMAGING_TOO_LARGE: {
    blame: 'peer',
    disposition: 'hold',
    httpStatus: 422,
    message: 'The image is larger than the limit.',
  },
  IMAGING_UNREPRESENTABLE: {
    blame: 'operator',
    disposition: 'hold',
    httpStatus: 422,
    message:
      'The backend contract cannot express this image (its rescale slope is not an integer of at least 1); see onUnrepresentable.',
  },
  IMAGING_REDACTION_FAILED: {
    blame: 'peer',
    disposition: 'hold',
    httpStatus: 422,
    message: 'Regions of the image could not be blanked.',
  },

  // gateway
  INSTANCE_UNKNOWN: {
    blame: 'operator',
    disposition: 'reject',
    httpStatus: 404,
    message: 'There is no instance of this id; list them with `lethe queue list`.',
  },
  INSTANCE_HELD_BY_RULE: {
    blame: 'operator',
    disposition: 'hold',
    message: 'A rule of the configuration holds this instance.',
  },
  WORKER_DIED: {
    blame: 'us',
    disposition: 'hold',
    message: 'The worker processing this instance died twice; the instance is held, the worker was replaced.',
  },
  INSTANCE_NO_DESTINATION: {
    blame: 'operator',
    disposition: 'hold',
    message: 'No destination takes this instance: neither its filters nor a route rule name one.',
  },
  OBJECT_HAS_NO_IMAGE: {
    blame: 'peer',
    disposition: 'hold',
    message: 'The object has no image and a destination takes only images.',
  },

  // folders and archives
  ARCHIVE_MALFORMED: {
    blame: 'peer',
    disposition: 'reject',
    httpStatus: 400,
    message: 'The archive is damaged or not complete; what could be read of it was taken. Copy it again.',
  },
  ARCHIVE_REFUSED: {
    blame: 'peer',
    disposition: 'reject',
    httpStatus: 400,
    message: 'The archive is encrypted, holds another archive, or is made in a way that honest ones are not.',
  },
  ARCHIVE_EMPTY: {
    blame: 'peer',
    disposition: 'reject',
    httpStatus: 400,
    message: 'The archive holds no DICOM instance.',
  },
  MEDIUM_INCOMPLETE: {
    blame: 'peer',
    disposition: 'reject',
    httpStatus: 400,
    message: 'The DICOMDIR names a file that is not there; the others were taken. Copy the medium again.',
  },

  // pull
  PULL_LIST_INVALID: {
    blame: 'operator',
    disposition: 'reject',
    message: 'The list of studies to pull cannot be used; the line and what is wrong with it are in the detail.',
  },

  // delivery
  DELIVERY_UNREACHABLE: { blame: 'destination', disposition: 'retry', message: 'The destination cannot be reached.' },
  DELIVERY_TIMEOUT: {
    blame: 'destination',
    disposition: 'ambiguous',
    message: 'The destination did not answer in time.',
  },
  DELIVERY_CONNECTION_LOST: {
    blame: 'destination',
    disposition: 'ambiguous',
    message: 'The connection broke before the answer came.',
  },
  DELIVERY_BUSY: {
    blame: 'destination',
    disposition: 'retry',
    message: 'The destination asks to try later (408, 425, 429 or 5xx).',
  },
  DELIVERY_REJECTED: {
    blame: 'destination',
    disposition: 'hold',
    message: 'The destination refused the instance for good; its status is recorded.',
  },
  DELIVERY_PAYLOAD_INVALID: {
    blame: 'us',
    disposition: 'hold',
    message: 'The payload does not validate against the OpenAPI document in force; the path is named.',
  },
  DELIVERY_BUDGET_EXHAUSTED: {
    blame: 'destination',
    disposition: 'hold',
    message: 'The attempts or the time allowed for delivery are used up; retry when the destination is well.',
  },
  DELIVERY_AUTH_FAILED: {
    blame: 'operator',
    disposition: 'retry',
    message: 'The destination refuses our credentials; check them.',
  },

  // HTTP intake
  HTTP_NOT_DICOM: {
    blame: 'peer',
    disposition: 'reject',
    httpStatus: 400,
    message: 'The body holds no DICOM Part 10 file.',
  },
  HTTP_BODY_TOO_LARGE: {
    blame: 'peer',
    disposition: 'reject',
    httpStatus: 413,
    message: 'The body is larger than the limit.',
  },
  HTTP_BODY_INCOMPLETE: {
    blame: 'peer',
    disposition: 'reject',
    httpStatus: 400,
    message: 'The body ended before it was whole; send it again.',
  },
  HTTP_MULTIPART_MALFORMED: {
    blame: 'peer',
    disposition: 'reject',
    httpStatus: 400,
    message: 'The multipart body breaks RFC 2046.',
  },
  HTTP_MEDIA_TYPE_UNSUPPORTED: {
    blame: 'peer',
    disposition: 'reject',
    httpStatus: 415,
    message: 'The media type or content coding of the body is not taken here.',
  },
  HTTP_REQUEST_INVALID: {
    blame: 'peer',
    disposition: 'reject',
    httpStatus: 400,
    message: 'The request does not fit the description at /api/v1/openapi.json; the field is named.',
  },
  HTTP_CUSTOMER_UNKNOWN: {
    blame: 'peer',
    disposition: 'reject',
    httpStatus: 400,
    message: 'No such customer is configured, or this user may not send for it.',
  },
  HTTP_STUDY_MISMATCH: {
    blame: 'peer',
    disposition: 'reject',
    httpStatus: 409,
    message: 'The instance belongs to another study than the one in the request path.',
  },
  HTTP_UNAUTHENTICATED: {
    blame: 'peer',
    disposition: 'reject',
    httpStatus: 401,
    message: 'The request needs the credentials of a configured user.',
  },
  HTTP_FORBIDDEN: { blame: 'peer', disposition: 'reject', httpStatus: 403, message: 'This user may not do that.' },
  HTTP_CROSS_SITE: {
    blame: 'peer',
    disposition: 'reject',
    httpStatus: 403,
    message: 'A page of another site made this request; only pages of the gateway itself may change something.',
  },
  HTTP_HOST_UNKNOWN: {
    blame: 'peer',
    disposition: 'reject',
    httpStatus: 421,
    message: 'The request names a host this gateway does not answer for; add it to http.allowedHosts.',
  },
  HTTP_TOO_MANY_ATTEMPTS: {
    blame: 'peer',
    disposition: 'retry',
    httpStatus: 429,
    message: 'Too many wrong credentials from this address; wait a minute.',
  },
  HTTP_TOO_BUSY: {
    blame: 'us',
    disposition: 'retry',
    httpStatus: 503,
    message: 'The gateway has as many of these in hand as it allows; try again.',
  },
  HTTP_NOT_FOUND: { blame: 'peer', disposition: 'reject', httpStatus: 404, message: 'There is nothing at this path.' },
  HTTP_NOT_READY: {
    blame: 'operator',
    disposition: 'retry',
    httpStatus: 503,
    message: 'The gateway cannot take custody now; see /readyz.',
  },
  HTTP_CONFLICT: {
    blame: 'peer',
    disposition: 'reject',
    httpStatus: 409,
    message: 'The instance is not in a state in which that can be done.',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;
