/** The listener's part of the schema of `lethe.yaml`. */
import Type from 'typebox';
import { AeTitle, Port, Secret, Size, section, strict } from './destination-schema.ts';

const CertificateFile = 'PEM file with our certificate chain; read again when it changes.';

const Tls = Type.Object(
  {
    port: Port('DIMSE-TLS port; beside the plain one.', 2762),
    cert: Type.String({ description: CertificateFile }),
    key: Type.String({ description: 'PEM file with our private key.' }),
    ca: Type.Optional(Type.String({ description: 'PEM file with the authorities that sign peers.' })),
    clientAuth: Type.Union([Type.Literal('required'), Type.Literal('optional'), Type.Literal('none')], {
      default: 'required',
      description: 'Whether peers must show a certificate.',
    }),
    profile: Type.Union([Type.Literal('bcp195'), Type.Literal('bcp195-modified')], {
      default: 'bcp195',
      description:
        'Secure Transport Connection Profile of PS3.15: BCP 195 (B.12), or Modified BCP 195 (B.13), which names its cipher suites.',
    }),
    serverNames: Type.Array(
      Type.Object(
        {
          name: Type.String({ minLength: 1, description: 'Server name that the client asks for.' }),
          cert: Type.String({ description: CertificateFile }),
          key: Type.String({ description: 'PEM file with its private key.' }),
        },
        strict,
      ),
      { default: [], description: 'Other certificates for clients that ask for a name (SNI).' },
    ),
  },
  strict,
);

const Peer = Type.Object(
  {
    aeTitle: Type.Optional(
      AeTitle('Calling AE title of the peer; without it any, from `host` or with the certificate.'),
    ),
    host: Type.Optional(Type.String({ description: 'Address or network (CIDR) it must come from.' })),
    customer: Type.Optional(Type.String({ description: 'Customer its instances belong to.' })),
    reportPort: Type.Optional(
      Port('Port where it listens for storage commitment reports, at its `host` (an address).'),
    ),
    tlsName: Type.Optional(
      Type.String({
        description: 'Name its certificate must show (subject alternative name, common name, or the whole subject).',
      }),
    ),
    tlsFingerprint: Type.Optional(
      Type.String({ description: 'SHA-256 fingerprint its certificate must have (hexadecimal).' }),
    ),
    maxAssociations: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1024, description: 'Associations at once of this peer.' }),
    ),
    store: Type.Optional(
      Type.Boolean({
        description: '`false`: it may only verify the connection, and C-STORE is answered 0124.',
      }),
    ),
  },
  strict,
);

const UserIdentity = Type.Object(
  {
    required: Type.Boolean({ default: false, description: 'Reject associations without a user that is known here.' }),
    users: Type.Array(
      Type.Object(
        {
          name: Type.String({ minLength: 1, description: 'User name (type 1, or 2 with a passcode).' }),
          passcode: Type.Optional(Secret),
        },
        strict,
      ),
      { default: [], description: 'Users that peers may present.' },
    ),
    jwt: Type.Optional(
      Type.Object(
        {
          publicKey: Type.Optional(
            Type.String({ description: 'PEM file with the public key of the issuer (RSA, EC or Ed25519).' }),
          ),
          secret: Type.Optional(Secret),
          issuer: Type.Optional(Type.String({ description: 'Issuer that the token must name.' })),
          audience: Type.Optional(Type.String({ description: 'Audience that the token must name.' })),
        },
        strict,
      ),
    ),
  },
  strict,
);

const remedies = [Type.Literal('refuse'), Type.Literal('warn'), Type.Literal('accept')];

const Validation = Type.Object(
  {
    uidsDiffer: Type.Union(remedies, {
      default: 'refuse',
      description:
        'SOP Class or Instance UID of command and data set differ: refuse (A900); or store and hold, answered with a warning (B007) or Success.',
    }),
    uidMalformed: Type.Union(remedies, {
      default: 'refuse',
      description: 'The SOP Instance UID is malformed: refuse (0117), or store and hold.',
    }),
    unreadable: Type.Union(remedies, {
      default: 'refuse',
      description: 'The data set cannot be read as far as its UIDs: refuse (C000), or store and hold.',
    }),
    studyUidsMissing: Type.Union(remedies, {
      default: 'accept',
      description:
        'Study or Series Instance UID is missing or malformed: refuse (A901), warn (B007), or accept; processing decides about it.',
    }),
  },
  section,
);

const limit = (description: string, defaultLimit: number) =>
  Type.Integer({ minimum: 1, maximum: 1024, default: defaultLimit, description });

const seconds = (maximum: number, defaultSeconds: number, description: string) =>
  Type.Number({ minimum: 1, maximum, default: defaultSeconds, description });

const acceptOrReject = (description: string) =>
  Type.Union([Type.Literal('accept'), Type.Literal('reject')], { default: 'accept', description });

/** Who we are and where we listen. */
const address = {
  enabled: Type.Boolean({ default: true, description: 'Whether the DICOM listener runs.' }),
  host: Type.String({
    default: '127.0.0.1',
    description: 'Address to listen on; anything but loopback asks for an explicit peer policy.',
  }),
  port: Port('Port of the storage SCP.', 11112),
  plain: Type.Boolean({
    default: true,
    description: 'Whether the plain ports are open; `false` leaves the TLS port alone.',
  }),
  furtherPorts: Type.Array(Port('A further plain port.'), {
    default: [],
    description: 'Further plain ports, such as 104.',
  }),
  aeTitle: AeTitle('Our AE title.', 'LETHE'),
  aeTitles: Type.Array(
    Type.Object(
      {
        aeTitle: AeTitle('A further called AE title.'),
        customer: Type.Optional(Type.String({ description: 'Customer of what is sent to it.' })),
        profile: Type.Optional(Type.String({ description: 'De-identification profile of what is sent to it.' })),
      },
      strict,
    ),
    { default: [], description: 'Further called AE titles, each may pick customer and profile.' },
  ),
} as const;

/** Who may call, and how much of us. */
const callers = {
  maxAssociations: limit('Associations at once, over all peers.', 32),
  maxAssociationsPerPeer: limit('Associations at once from one address.', 16),
  maxInstancesPerAssociation: Type.Optional(
    Type.Integer({ minimum: 1, description: 'Instances that one association may bring; more are answered 0213.' }),
  ),
  maxBytesPerAssociation: Type.Optional(Size('Bytes that one association may bring; more are answered 0213.')),
  peers: Type.Optional(
    Type.Union([Type.Literal('any'), Type.Array(Peer)], {
      description: '`any`, or the list of peers that may send. Default: any on loopback, none elsewhere.',
    }),
  ),
  tls: Type.Optional(Tls),
  userIdentity: Type.Optional(UserIdentity),
} as const;

const timers = {
  artimSeconds: seconds(600, 30, 'ARTIM timer (PS3.8 §9.1.5).'),
  idleSeconds: seconds(86400, 300, 'An association without traffic is aborted after this.'),
  dimseSeconds: seconds(3600, 60, 'A PDU or message that has begun must end, or go on by some kilobytes, within this.'),
  writeSeconds: seconds(3600, 60, 'A peer must take what we send within this.'),
} as const;

/** What is agreed, and what is done about instances. */
const services = {
  maxPduBytes: Type.Integer({
    minimum: 4096,
    maximum: 1048576,
    default: 262144,
    description: 'Longest P-DATA-TF that we take, as announced to peers.',
  }),
  maxOperations: Type.Integer({
    minimum: 1,
    maximum: 64,
    default: 8,
    description: 'Requests in progress at once on an association, for peers that ask for a window.',
  }),
  preferredTransferSyntaxes: Type.Array(Type.String({ pattern: '^[0-9.]{1,64}$' }), {
    default: [],
    description:
      'UIDs, most wanted first; where a peer offers none of them, or the list is empty, its own first counts.',
  }),
  unknownSopClasses: acceptOrReject(
    'SOP classes that PS3.4 does not know: accept and store as they are, or reject the context.',
  ),
  unknownTransferSyntaxes: acceptOrReject(
    'Transfer syntaxes that PS3.6 does not know: accept and store as they are, or pass them over.',
  ),
  validation: Validation,
  duplicates: Type.Union([Type.Literal('refuse'), Type.Literal('keep'), Type.Literal('replace')], {
    default: 'keep',
    description:
      'Same SOP Instance UID with other content: refuse it (0111), keep both versions, or let it take the place of those not yet delivered.',
  }),
  commitment: Type.Union([Type.Literal('custody'), Type.Literal('delivery'), Type.Literal('off')], {
    default: 'delivery',
    description:
      'Storage commitment is answered when an instance is in custody, or when every destination has taken it; or not served.',
  }),
  commitmentHours: Type.Number({
    minimum: 0.01,
    maximum: 8760,
    default: 24,
    description: 'What is not decided by then (held, destination down) is answered as failed: the sender keeps it.',
  }),
} as const;

export const Dicom = Type.Object({ ...address, ...callers, ...timers, ...services }, section);
