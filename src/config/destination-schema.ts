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
    },
    strict,
  ),
]);

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
};
const http = {
  url: Type.String({ pattern: '^https?://', description: 'Base URL.' }),
  auth: Type.Optional(Auth),
  ca: Type.Optional(Type.String({ description: 'PEM file with the authorities of the destination.' })),
  clientCert: Type.Optional(Type.Object({ cert: Type.String(), key: Type.String() }, strict)),
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
    },
    strict,
  ),
  Type.Object(
    {
      ...common,
      type: Type.Literal('folder'),
      path: Type.String({ description: 'Folder that receives study/series/instance files.' }),
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
      prefix: Type.Optional(Type.String({ description: 'Put before every object key.' })),
    },
    strict,
  ),
]);
