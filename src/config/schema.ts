/**
 * The one declared schema of `lethe.yaml`: types, `lethe.schema.json`, `docs/config.md` and the checks all come from
 * here. Every key has a one-sentence description; durations and sizes carry their unit in the name or take a size text
 * such as `64MiB`. Unknown keys are refused (load.ts names the nearest known one).
 */
import Type, { type Static } from 'typebox';
import { PATTERN_CHARACTERS_MAX } from '../core/pattern.ts';
import { type Auth, Destination, Frames, Port, type Secret, Size, section, strict } from './destination-schema.ts';
import { Dicom } from './dicom-schema.ts';

const User = Type.Object(
  {
    name: Type.String({ minLength: 1, description: 'User name.' }),
    passwordHash: Type.String({ description: 'scrypt hash as printed by `lethe check --hash-password`.' }),
    role: Type.Union([Type.Literal('viewer'), Type.Literal('operator'), Type.Literal('privacy')], {
      default: 'viewer',
      description: 'What the user may do.',
    }),
  },
  strict,
);

const Http = Type.Object(
  {
    enabled: Type.Boolean({ default: true, description: 'Whether the HTTP server (intake, console, metrics) runs.' }),
    host: Type.String({
      default: '127.0.0.1',
      description: 'Address to listen on; anything but loopback asks for users.',
    }),
    port: Port('Port of the HTTP server.', 8042),
    tls: Type.Optional(
      Type.Object(
        {
          cert: Type.String({ description: 'PEM certificate chain.' }),
          key: Type.String({ description: 'PEM private key.' }),
        },
        strict,
      ),
    ),
    users: Type.Optional(Type.Array(User, { description: 'Users of the console and the API.' })),
  },
  section,
);

const Folder = Type.Object(
  {
    path: Type.String({ description: 'Folder to watch.' }),
    customers: Type.Optional(
      Type.Literal('subfolders', { description: 'One subfolder a customer; otherwise `customer` names the one.' }),
    ),
    customer: Type.Optional(Type.String({ description: 'Customer of everything in this folder.' })),
    pollSeconds: Type.Number({
      minimum: 0.1,
      maximum: 3600,
      default: 2,
      description: 'How often the folder is looked at.',
    }),
    stableSeconds: Type.Number({
      minimum: 0,
      maximum: 3600,
      default: 2,
      description: 'A file is taken when its size and time did not change for this long.',
    }),
  },
  strict,
);

const Deidentification = Type.Object(
  {
    profile: Type.String({
      default: 'default',
      description: '`default` (= ai-inference), `basic`, `research`, `seed`, or the path of a YAML profile.',
    }),
    key: Type.Optional(
      Type.Object(
        {
          file: Type.Optional(
            Type.String({
              description:
                'Key file (64 hexadecimal digits, owner-only). Default: one made at first start under dataDir/keys.',
            }),
          ),
          generation: Type.Integer({
            minimum: 1,
            maximum: 65535,
            default: 1,
            description:
              'Counts rotations: another number gives other pseudonyms, dates and UIDs for everything that comes from now on. Crosswalk records name it.',
          }),
        },
        strict,
      ),
    ),
    crosswalk: Type.Optional(
      Type.Object(
        {
          publicKey: Type.String({
            description:
              'PEM file with an X25519 or RSA public key: originals are kept encrypted to it under dataDir/crosswalk.',
          }),
          form: Type.Union([Type.Literal('records'), Type.Literal('attributes'), Type.Literal('both')], {
            default: 'records',
            description:
              'Records under dataDir/crosswalk, the Encrypted Attributes Sequence (0400,0500) in each instance (RSA of at least 2048 bits), or both.',
          }),
        },
        strict,
      ),
    ),
    pixels: Type.Object(
      {
        whenUnscanned: Type.Union([Type.Literal('hold'), Type.Literal('pass')], {
          default: 'hold',
          description:
            'An image that may show burned-in text, where no text detection is installed: hold it for review, or let it pass.',
        }),
        textDetection: Type.Union([Type.Literal('auto'), Type.Literal('off')], {
          default: 'auto',
          description: 'Read text in pixels where the optional packages for it are installed, or never.',
        }),
      },
      section,
    ),
  },
  section,
);

const Rendering = Type.Object(
  {
    format: Type.Union([Type.Literal('jpeg'), Type.Literal('png'), Type.Literal('png16')], {
      default: 'jpeg',
      description: 'The consistent image format.',
    }),
    quality: Type.Integer({ minimum: 1, maximum: 100, default: 90, description: 'JPEG quality.' }),
    onUnrepresentable: Type.Union([Type.Literal('hold'), Type.Literal('png'), Type.Literal('jpeg')], {
      default: 'hold',
      description:
        'png16 of an image whose slope the contract cannot say: hold it, or send it in this 8-bit format instead.',
    }),
    maxEdge: Type.Optional(
      Type.Integer({
        minimum: 16,
        maximum: 65535,
        description: 'Larger images are scaled down to this many pixels on the longer edge.',
      }),
    ),
    frames: Frames({
      default: 'all',
      description:
        'Frames of a multi-frame instance that become images: `all`, `first`, `middle`, `{ numbers: [1, 10] }` (those that ' +
        'are there) or `{ perSecond: 2 }` (by the frame time or rate that the instance states).',
    }),
    frameTimeoutSeconds: Type.Number({
      minimum: 1,
      maximum: 600,
      default: 20,
      description: 'A frame that takes longer to decode holds its instance.',
    }),
    workers: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 64,
        description: 'Worker threads. Default: one less than the cores, at least one.',
      }),
    ),
  },
  section,
);

const Batching = Type.Object(
  {
    by: Type.Union([Type.Literal('series'), Type.Literal('study'), Type.Literal('instance')], {
      default: 'series',
      description: 'What goes into one request.',
    }),
    maxImages: Type.Integer({
      minimum: 1,
      maximum: 10000,
      default: 32,
      description: 'Instances in one request at most.',
    }),
    maxBytes: Size('Bytes of image data in one request at most.', '64MiB'),
    idleSeconds: Type.Number({
      minimum: 0,
      maximum: 3600,
      default: 5,
      description: 'A batch that is not full is sent when nothing came for this long.',
    }),
  },
  section,
);

const Limits = Type.Object(
  {
    minFreeDiskBytes: Size('Below this much free disk nothing is accepted.', '1GiB'),
    maxInstanceBytes: Size('An instance larger than this is refused.', '8GiB'),
    maxHttpBodyBytes: Size('An HTTP body larger than this is refused.', '4GiB'),
    maxAttempts: Type.Integer({
      minimum: 1,
      maximum: 100000,
      default: 500,
      description: 'Attempts to deliver before an instance is held.',
    }),
    maxAgeHours: Type.Number({
      minimum: 0.01,
      maximum: 8760,
      default: 168,
      description: 'Hours to try before an instance is held.',
    }),
    retryBaseSeconds: Type.Number({
      minimum: 0.01,
      maximum: 3600,
      default: 1,
      description: 'First retry after up to this; doubles each time.',
    }),
    retryMaxSeconds: Type.Number({
      minimum: 0.1,
      maximum: 86400,
      default: 300,
      description: 'Retries are never further apart than this.',
    }),
  },
  section,
);

const Retention = Type.Object(
  {
    receivedMinutes: Type.Number({
      minimum: 0,
      maximum: 525600,
      default: 0,
      description: 'Identified bytes are erased this long after the last delivery settled.',
    }),
    preparedMinutes: Type.Number({
      minimum: 0,
      maximum: 525600,
      default: 60,
      description: 'De-identified output is erased this long after the last delivery settled.',
    }),
    historyDays: Type.Number({
      minimum: 0.0005,
      maximum: 3650,
      default: 30,
      description:
        'So long a settled instance is known after its bytes went: a repetition is recognised, its commitment and its history are answered. Then its row goes, the ledger keeps its number and the audit moves to files. Not less than dicom.commitmentHours.',
    }),
    historyInstances: Type.Integer({
      minimum: 1000,
      maximum: 100_000_000,
      default: 1_000_000,
      description:
        'More settled instances than this are not known, the oldest go first, but none before dicom.commitmentHours: a database of a few GB at most.',
    }),
    ledgerDays: Type.Number({
      minimum: 0.0005,
      maximum: 36500,
      default: 3650,
      description: 'So long a study has a ledger line of its own; then it is added to one line of its source.',
    }),
  },
  section,
);

const Syslog = Type.Object(
  {
    protocol: Type.Union([Type.Literal('tls'), Type.Literal('udp')], {
      default: 'tls',
      description: 'RFC 5425 (TLS) or RFC 5426 (UDP).',
    }),
    host: Type.String({ description: 'Host of the audit repository.' }),
    port: Type.Integer({ minimum: 1, maximum: 65535, default: 6514, description: 'Its port; 514 is usual for UDP.' }),
    ca: Type.Optional(Type.String({ description: 'PEM file with its authorities.' })),
    clientCert: Type.Optional(Type.Object({ cert: Type.String(), key: Type.String() }, strict)),
    sourceId: Type.Optional(Type.String({ description: 'Audit Source ID; dicom.aeTitle otherwise.' })),
    siteId: Type.Optional(Type.String({ description: 'Audit Enterprise Site ID.' })),
    identifiers: Type.Union([Type.Literal('pseudonyms'), Type.Literal('none')], {
      default: 'pseudonyms',
      description: 'What messages say of studies and patients: pseudonyms, or our own instance ids alone.',
    }),
  },
  strict,
);

const Audit = Type.Object(
  {
    checkpointHours: Type.Number({
      minimum: 0.01,
      maximum: 8760,
      default: 24,
      description: 'How often the end of the audit chain is signed.',
    }),
    syslog: Type.Optional(Syslog),
  },
  section,
);

const Telemetry = Type.Object(
  {
    otlp: Type.Optional(
      Type.Object(
        {
          url: Type.String({
            pattern: '^https?://',
            description: 'OpenTelemetry collector; traces go to {url}/v1/traces.',
          }),
          headers: Type.Optional(
            Type.Record(Type.String(), Type.String(), { description: 'More headers of every request.' }),
          ),
        },
        { ...strict, description: 'Traces of what happens to each instance; off when absent.' },
      ),
    ),
  },
  section,
);

const OneOrMore = (description: string) =>
  Type.Optional(Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1 })], { description }));

const RuleTerm = Type.Object(
  {
    element: Type.Optional(
      Type.String({
        description: 'Keyword or tag, e.g. `Modality` or `(0008,0060)`; into sequences with dots (any item counts).',
      }),
    ),
    equals: OneOrMore('One of these values.'),
    matches: Type.Optional(
      Type.String({
        maxLength: PATTERN_CHARACTERS_MAX,
        description:
          'Regular expression (RE2; `(?i)` in front ignores case) that one of the values must match somewhere.',
      }),
    ),
    exists: Type.Optional(Type.Boolean({ description: 'Whether the element is there with a value.' })),
    atLeast: Type.Optional(Type.Number({ description: 'The value is a number and not smaller.' })),
    atMost: Type.Optional(Type.Number({ description: 'The value is a number and not larger.' })),
    customer: OneOrMore('Customer of the instance.'),
    source: OneOrMore('Calling AE title, folder or client it came from.'),
    via: OneOrMore('The way it came: `dicom`, `folder`, `http`, `stow` or `pull`.'),
    during: OneOrMore('When it was received, e.g. `mon-fri 20:00-06:00`.'),
    timeZone: Type.Optional(Type.String({ description: 'IANA time zone of `during`. Default: that of the system.' })),
    not: Type.Optional(Type.Boolean({ description: 'The opposite of all that this condition says.' })),
  },
  strict,
);

const Rule = Type.Object(
  {
    name: Type.String({ pattern: '^[a-zA-Z0-9_.-]{1,64}$', description: 'Name that stands on record as the reason.' }),
    when: Type.Array(RuleTerm, { minItems: 1, description: 'All of these must be true.' }),
    action: Type.Union(
      [
        Type.Literal('discard'),
        Type.Literal('hold'),
        Type.Literal('route'),
        Type.Literal('profile'),
        Type.Literal('urgent'),
      ],
      { description: 'What happens.' },
    ),
    destinations: Type.Optional(
      Type.Array(Type.String(), { minItems: 1, description: 'For route: only these destinations.' }),
    ),
    profile: Type.Optional(Type.String({ description: 'For profile: the de-identification profile.' })),
  },
  strict,
);

export const ConfigurationSchema = Type.Object(
  {
    dataDir: Type.String({
      default: './data',
      description: 'Spool, database, keys and audit; LETHE_DATA_DIR overrides.',
    }),
    dicom: Dicom,
    http: Http,
    folders: Type.Array(Folder, { default: [], description: 'Watched folders.' }),
    deidentification: Deidentification,
    rendering: Rendering,
    batching: Batching,
    destinations: Type.Optional(
      Type.Array(Destination, {
        description: 'Where results go. Default: the reference backend, started with the gateway.',
      }),
    ),
    rules: Type.Array(Rule, {
      default: [],
      description:
        'Rules that discard, hold, route, choose a profile or hurry; the first that matches of each kind counts.',
    }),
    store: Type.String({
      default: 'sqlite',
      pattern: '^(sqlite|postgres(ql)?://.+)$',
      description: 'Queue and ledger.',
    }),
    objects: Type.String({ default: 'local', pattern: '^(local|s3://.+)$', description: 'Where bytes are kept.' }),
    limits: Limits,
    retention: Retention,
    audit: Audit,
    telemetry: Telemetry,
    logLevel: Type.Union([Type.Literal('debug'), Type.Literal('info'), Type.Literal('warn'), Type.Literal('error')], {
      default: 'info',
      description: 'Least severe level that is logged.',
    }),
  },
  { ...strict, title: 'lethe.yaml' },
);

export type Configuration = Static<typeof ConfigurationSchema>;
export type DestinationConfiguration = Static<typeof Destination>;
export type AuthConfiguration = Static<typeof Auth>;
export type SecretReference = Static<typeof Secret>;
export type FolderConfiguration = Static<typeof Folder>;
export type RuleConfiguration = Static<typeof Rule>;
