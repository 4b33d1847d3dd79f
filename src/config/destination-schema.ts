/** The destinations' part of the schema of `lethe.yaml`, and the few shapes that the rest shares with it. */
import Type from 'typebox';

export const strict = { additionalProperties: false } as const;

/** A whole section may be left out: each of its keys has a default. */
export const section = { ...strict, default: {} } as const;

/** A number of bytes, or a text such as `64MiB`, `1.5GB`. Without a default it is optional. */
export const Size = (description: string, defaultSize?: string) =>
  Type.Union([Type.Integer({ minimum: 0 }), Type.String({ pattern: '^[0-9]+(\\.[0-9]+)?\\s*([kKMGT]i?)?B?$' })], {
    description,
    ...(defaultSize === undefined ? {} : { default: defaultSize }),
  });

export const Port = (description: string, defaultPort?: number) =>
  Type.Integer({
    minimum: 0,
    maximum: 65535,
    description,
    ...(defaultPort === undefined ? {} : { default: defaultPort }),
  });

/** A secret: never written in the file itself, but in a file or the environment. */
export const Secret = Type.Union([
  Type.String({
    description: 'The secret itself; let it come from the environment by a dollar sign and braces around the name.',
  }),
  Type.Object({ file: Type.String({ description: 'Path of a file that holds the secret.' }) }, strict),
  Type.Object({ env: Type.String({ description: 'Name of an environment variable that holds the secret.' }) }, strict),
]);

export const AeTitle = (description: string, defaultTitle?: string) =>
  Type.String({
    minLength: 1,
    maxLength: 16,
    pattern: '^[^\\\\\\x00-\\x1f]+$',
    description,
    ...(defaultTitle === undefined ? {} : { default: defaultTitle }),
  });

export const Auth = Type.Union([
  Type.Object({ type: Type.Literal('none') }, strict),
  Type.Object({ type: Type.Literal('basic'), user: Type.String(), password: Secret }, strict),
  Type.Object({ type: Type.Literal('bearer'), token: Secret }, strict),
  Type.Object({ type: Type.Literal('api-key'), header: Type.String({ default: 'X-API-Key' }), key: Secret }, strict),
  Type.Object(
    {
      type: Type.Literal('oauth2'),
      tokenUrl: Type.String(),
      clientId: Type.String(),
      clientSecret: Secret,
      scope: Type.Optional(Type.String()),
      audience: Type.Optional(Type.String()),
      credentialsIn: Type.Optional(Type.Union([Type.Literal('header'), Type.Literal('body')])),
    },
    strict,
  ),
]);

const Uids = (description: string) =>
  Type.Optional(Type.Array(Type.String({ pattern: '^[0-9.]{1,64}$' }), { minItems: 1, description }));

const Filter = Type.Object(
  {
    modalities: Type.Optional(
      Type.Array(Type.String(), { minItems: 1, description: 'Only instances of these modalities (0008,0060).' }),
    ),
    sopClasses: Uids('Only instances of these SOP classes.'),
    exceptSopClasses: Uids('No instances of these SOP classes.'),
  },
  strict,
);

/** Which frames of a multi-frame instance become images. */
export function Frames(options: { readonly description: string; readonly default?: 'all' }) {
  const numbers = Type.Array(Type.Integer({ minimum: 1, maximum: 9_999_999 }), { minItems: 1, maxItems: 1000 });
  return Type.Union(
    [
      Type.Literal('all'),
      Type.Literal('first'),
      Type.Literal('middle'),
      Type.Object({ numbers }, strict),
      Type.Object({ perSecond: Type.Number({ exclusiveMinimum: 0, maximum: 1000 }) }, strict),
    ],
    options,
  );
}

/** Of one destination; what is left out is as the section of the same name says. */
const OwnRendering = Type.Object(
  {
    format: Type.Optional(
      Type.Union([Type.Literal('jpeg'), Type.Literal('png'), Type.Literal('png16')], {
        description: 'The image format of this destination.',
      }),
    ),
    quality: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'JPEG quality.' })),
    onUnrepresentable: Type.Optional(
      Type.Union([Type.Literal('hold'), Type.Literal('png'), Type.Literal('jpeg')], {
        description: 'As `rendering.onUnrepresentable`.',
      }),
    ),
    maxEdge: Type.Optional(Type.Integer({ minimum: 16, maximum: 65535, description: 'As `rendering.maxEdge`.' })),
    frames: Type.Optional(Frames({ description: 'As `rendering.frames`.' })),
  },
  strict,
);

/** A DIMSE status, hexadecimal; `x` stands for any digit. */
const StatusPattern = Type.String({ pattern: '^[0-9a-fA-FxX]{4}$' });

const OwnBatching = Type.Object(
  {
    by: Type.Optional(
      Type.Union([Type.Literal('series'), Type.Literal('study'), Type.Literal('instance')], {
        description: 'What goes into one request.',
      }),
    ),
    maxImages: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10000, description: 'Instances in one request at most.' }),
    ),
    maxBytes: Type.Optional(Size('Bytes in one request at most.')),
    idleSeconds: Type.Optional(
      Type.Number({ minimum: 0, maximum: 3600, description: 'A batch that is not full waits this long for more.' }),
    ),
  },
  strict,
);

const OwnLimits = Type.Object(
  {
    maxAttempts: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100000, description: 'Attempts before an instance is held.' }),
    ),
    maxAgeHours: Type.Optional(
      Type.Number({ minimum: 0.01, maximum: 8760, description: 'Hours to try before an instance is held.' }),
    ),
    retryBaseSeconds: Type.Optional(
      Type.Number({ minimum: 0.01, maximum: 3600, description: 'First retry after up to this.' }),
    ),
    retryMaxSeconds: Type.Optional(
      Type.Number({ minimum: 0.1, maximum: 86400, description: 'Retries are never further apart than this.' }),
    ),
  },
  strict,
);

const Pace = Type.Object(
  {
    bytesPerSecond: Type.Optional(
      Size('Most bytes a second that are sent there, over all connections together, e.g. `2MB`.'),
    ),
    windows: Type.Optional(
      Type.Array(Type.String(), {
        minItems: 1,
        description:
          'Times at which it is sent to, e.g. `mon-fri 20:00-06:00`; outside of them everything waits, urgent or not.',
      }),
    ),
    timeZone: Type.Optional(
      Type.String({ description: 'IANA time zone of the windows, e.g. `Europe/Berlin`. Default: that of the system.' }),
    ),
    connections: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 16, description: 'Requests or associations at once. Default: 2.' }),
    ),
  },
  strict,
);

const common = {
  name: Type.String({
    pattern: '^[a-zA-Z0-9_-]{1,64}$',
    description: 'Name of the destination, for people, metrics and the store.',
  }),
  accepts: Type.Optional(
    Type.Union([Type.Literal('all'), Type.Literal('images'), Type.Literal('non-images')], {
      description:
        'Which objects go there. Default: images for image-api (its contract knows nothing else), all elsewhere.',
    }),
  ),
  filter: Type.Optional(Filter),
  profile: Type.Optional(
    Type.String({
      description:
        "De-identification profile of what goes there, whatever source or rule say. Default: theirs, else the site's.",
    }),
  ),
  rendering: Type.Optional(OwnRendering),
  batching: Type.Optional(OwnBatching),
  limits: Type.Optional(OwnLimits),
  pace: Type.Optional(Pace),
};
const Contents = Type.Optional(
  Type.Union([Type.Literal('dicom'), Type.Literal('images'), Type.Literal('all')], {
    description: 'Which files of an instance are written. Default: all.',
  }),
);
const ClientCertificate = Type.Optional(Type.Object({ cert: Type.String(), key: Type.String() }, strict));
const http = {
  url: Type.String({ pattern: '^https?://', description: 'Base URL.' }),
  auth: Type.Optional(Auth),
  ca: Type.Optional(Type.String({ description: 'PEM file with the authorities of the destination.' })),
  clientCert: ClientCertificate,
  headers: Type.Optional(
    Type.Record(Type.String({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" }), Type.String(), {
      description: 'More headers of every request.',
    }),
  ),
  proxy: Type.Optional(Type.String({ description: 'URL of an HTTP proxy.' })),
  timeoutSeconds: Type.Number({
    minimum: 1,
    maximum: 3600,
    default: 60,
    description: 'An answer that takes longer counts as ambiguous.',
  }),
};

export const Destination = Type.Union([
  Type.Object(
    {
      ...common,
      type: Type.Literal('image-api'),
      ...http,
      openapi: Type.Optional(Type.String({ description: 'A newer OpenAPI document of the backend; ours otherwise.' })),
      gzip: Type.Boolean({ default: false, description: 'Compress request bodies; only where the backend takes it.' }),
    },
    strict,
  ),
  Type.Object({ ...common, type: Type.Literal('stow-rs'), ...http }, strict),
  Type.Object(
    {
      ...common,
      type: Type.Literal('dicom'),
      host: Type.String({ description: 'Host of the storage SCP.' }),
      port: Port('Port of the storage SCP.'),
      calledAeTitle: AeTitle('AE title of the peer.'),
      callingAeTitle: Type.Optional(AeTitle('AE title we use; dicom.aeTitle otherwise.')),
      tls: Type.Optional(
        Type.Object(
          {
            ca: Type.Optional(Type.String({ description: 'PEM file with the authorities of the peer.' })),
            clientCert: ClientCertificate,
          },
          { ...strict, description: 'Makes it a TLS connection.' },
        ),
      ),
      timeoutSeconds: Type.Number({
        minimum: 1,
        maximum: 3600,
        default: 120,
        description: 'The longest wait for the answer to one C-STORE.',
      }),
      maxOperations: Type.Integer({
        minimum: 1,
        maximum: 64,
        default: 1,
        description: 'C-STORE requests in progress at once on an association, where the peer grants them.',
      }),
      restSeconds: Type.Number({
        minimum: 0,
        maximum: 3600,
        default: 30,
        description: 'How long an association is kept for the next batch, alive by C-ECHO; 0 releases it after each.',
      }),
      statuses: Type.Optional(
        Type.Object(
          {
            delivered: Type.Optional(
              Type.Array(StatusPattern, { description: 'Statuses that are as good as stored.' }),
            ),
            retry: Type.Optional(Type.Array(StatusPattern, { description: 'Statuses after which it is sent again.' })),
            hold: Type.Optional(Type.Array(StatusPattern, { description: 'Statuses after which a person must look.' })),
          },
          strict,
        ),
      ),
    },
    strict,
  ),
  Type.Object(
    {
      ...common,
      type: Type.Literal('folder'),
      path: Type.String({ description: 'Folder that receives study/series/instance files.' }),
      contents: Contents,
    },
    strict,
  ),
  Type.Object(
    {
      ...common,
      type: Type.Literal('s3'),
      url: Type.String({ pattern: '^https?://', description: 'Endpoint with the bucket as its path.' }),
      region: Type.String({ default: 'us-east-1', description: 'Region of the signature.' }),
      accessKeyId: Secret,
      secretAccessKey: Secret,
      sessionToken: Type.Optional(Secret),
      contents: Contents,
      partBytes: Type.Optional(Size('Larger objects are uploaded in parts of this size. Default: 64MiB.')),
      ca: http.ca,
      proxy: http.proxy,
      prefix: Type.Optional(Type.String({ description: 'Put before every object key.' })),
    },
    strict,
  ),
]);
