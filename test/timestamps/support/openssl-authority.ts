import { appendFile, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as asn1js from 'asn1js'
import { Accuracy, TSTInfo } from 'pkijs'
import { opensslDone } from './openssl.ts'
import { imprint, ROOT, SHA_256 } from './query.ts'

/** Extensions as an OpenSSL configuration file writes them. */
export const EXTENSIONS = {
  authority: ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'],
  signer: ['keyUsage=critical,digitalSignature', 'extendedKeyUsage=critical,timeStamping']
} as const

export interface Issue {
  /** Itself, if there is none. */
  readonly issuer?: string
  readonly extensions?: readonly string[]
  /** Arguments of `openssl genpkey`; ECDSA P-256 by default. */
  readonly key?: readonly string[]
  /** `YYMMDDHHMMSSZ`. */
  readonly start?: string
  readonly end?: string
  readonly subject?: string
}

export const KEYS = {
  p256: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  p384: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  p521: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521'],
  rsa: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  rsa1024: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024'],
  secp256k1: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1'],
  ed25519: ['-algorithm', 'ED25519']
} as const

const CONFIGURATION = `
[req]
distinguished_name = none
[none]
[policy]
commonName = supplied
[tsa]
serial = tsa-serial
signer_digest = sha256
default_policy = 1.3.6.1.4.1.32473.1
digests = sha256, sha384, sha512
accuracy = secs:1, millisecs:500, microsecs:100
ess_cert_id_chain = no
`

/** Certificate authorities and time-stamping authorities of the openssl command, in one folder. */
export class OpensslAuthorities {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async in(folder: string): Promise<OpensslAuthorities> {
    await writeFile(join(folder, 'openssl.cnf'), CONFIGURATION)
    return new OpensslAuthorities(folder)
  }

  /** Makes `NAME.key` and `NAME.pem`. */
  async issue(name: string, issue: Issue = {}): Promise<void> {
    const { issuer = name, extensions = EXTENSIONS.authority, key = KEYS.p256, subject = name } = issue
    const { start = '200101000000Z', end = '490101000000Z' } = issue
    await writeFile(join(this.#folder, `${name}.ext`), extensions.join('\n'))
    await this.#run('genpkey', ...key, '-out', `${name}.key`)
    const request = ['-new', '-key', `${name}.key`, '-subj', `/CN=${subject}`, '-out', `${name}.csr`]
    await this.#run('req', '-config', 'openssl.cnf', ...request)
    await this.#openDatabase(name)
    const signing = issuer === name ? ['-selfsign'] : ['-cert', `${issuer}.pem`]
    const files = ['-in', `${name}.csr`, '-out', `${name}.pem`, '-extfile', `${name}.ext`]
    const times = ['-startdate', start, '-enddate', end]
    await this.#ca(issuer, '-batch', '-notext', '-keyfile', `${issuer}.key`, ...signing, ...files, ...times)
  }

  /** Another certificate for the key, name and serial number of `name`, as `copy`. */
  async reissue(name: string, copy: string, issuer: string): Promise<void> {
    const serial = await this.#run('x509', '-in', `${name}.pem`, '-noout', '-serial')
    const number = `0x${serial.trim().replace('serial=', '')}`
    const files = ['-in', `${name}.csr`, '-extfile', `${name}.ext`, '-out', `${copy}.pem`]
    const signing = ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`, '-set_serial', number, '-days', '7000']
    await this.#run('x509', '-req', ...files, ...signing)
  }

  /** Adds a line to what `openssl ts` is configured with; the last of a kind counts. */
  async configure(line: string): Promise<void> {
    await appendFile(join(this.#folder, 'openssl.cnf'), `[tsa]\n${line}\n`)
  }

  /** Makes one authority say what another one says of its certificates. */
  async copyDatabase(from: string, to: string): Promise<void> {
    await copyFile(join(this.#folder, `${from}.db`, 'index.txt'), join(this.#folder, `${to}.db`, 'index.txt'))
  }

  read(file: string): Promise<Uint8Array> {
    return readFile(join(this.#folder, file)).then((bytes) => new Uint8Array(bytes))
  }

  /** The reply of `openssl ts` to a query. */
  async reply(query: Uint8Array, signer: string, ...args: readonly string[]): Promise<Uint8Array> {
    await writeFile(join(this.#folder, 'query.tsq'), query)
    await writeFile(join(this.#folder, 'tsa-serial'), '01')
    const signing = ['-signer', `${signer}.pem`, '-inkey', `${signer}.key`]
    const files = ['-config', 'openssl.cnf', '-section', 'tsa', '-queryfile', 'query.tsq', '-out', 'reply.tsr']
    await this.#run('ts', '-reply', ...files, ...signing, ...args)
    return this.read('reply.tsr')
  }

  /** A token that `openssl cms` signs: it takes any certificate, any key and any content. */
  async sign(content: Uint8Array, signer: string, ...args: readonly string[]): Promise<Uint8Array> {
    await writeFile(join(this.#folder, 'content.der'), content)
    const form = ['-binary', '-nodetach', '-outform', 'DER', '-econtent_type', '1.2.840.113549.1.9.16.1.4']
    const signing = ['-signer', `${signer}.pem`, '-inkey', `${signer}.key`]
    await this.#run('cms', '-sign', '-in', 'content.der', '-out', 'token.der', ...form, ...signing, ...args)
    return this.read('token.der')
  }

  /** Revokes and returns the issuer's new CRL, DER. */
  async revoke(name: string, issuer: string, ...args: readonly string[]): Promise<Uint8Array> {
    await this.#ca(issuer, '-revoke', `${name}.pem`, '-cert', `${issuer}.pem`, '-keyfile', `${issuer}.key`, ...args)
    return this.crl(issuer)
  }

  async crl(issuer: string): Promise<Uint8Array> {
    const signing = ['-cert', `${issuer}.pem`, '-keyfile', `${issuer}.key`]
    await this.#ca(issuer, '-gencrl', '-crldays', '30', '-out', 'crl.pem', ...signing)
    await this.#run('crl', '-in', 'crl.pem', '-outform', 'DER', '-out', 'crl.der')
    return this.read('crl.der')
  }

  /** The OCSPResponse of `responder` on a certificate, by the issuer's database. */
  async ocsp(name: string, issuer: string, responder: string): Promise<Uint8Array> {
    const request = ['-issuer', `${issuer}.pem`, '-cert', `${name}.pem`, '-no_nonce', '-reqout', 'ocsp.req']
    await this.#run('ocsp', ...request)
    const signing = ['-rsigner', `${responder}.pem`, '-rkey', `${responder}.key`]
    const base = ['-index', `${issuer}.db/index.txt`, '-CA', `${issuer}.pem`]
    await this.#run('ocsp', ...base, ...signing, '-reqin', 'ocsp.req', '-respout', 'ocsp.der')
    return this.read('ocsp.der')
  }

  #ca(issuer: string, ...args: readonly string[]): Promise<string> {
    return this.#run('ca', '-config', 'openssl.cnf', '-name', `db_${issuer}`, ...args)
  }

  async #openDatabase(name: string): Promise<void> {
    await mkdir(join(this.#folder, `${name}.db`))
    await writeFile(join(this.#folder, `${name}.db`, 'index.txt'), '')
    const section = [
      `[db_${name}]`,
      `database = ${name}.db/index.txt`,
      `new_certs_dir = ${name}.db`,
      'default_md = sha256',
      'policy = policy',
      'unique_subject = no',
      'rand_serial = yes'
    ]
    await appendFile(join(this.#folder, 'openssl.cnf'), `${section.join('\n')}\n`)
  }

  #run(...args: readonly string[]): Promise<string> {
    return opensslDone(this.#folder, ...args)
  }
}

/** A TSTInfo over `ROOT` that is good but for the changes. */
export function tstInfo(changes: Partial<ConstructorParameters<typeof TSTInfo>[0]> = {}): Uint8Array {
  const info = new TSTInfo({
    version: 1,
    policy: '1.3.6.1.4.1.32473.2',
    messageImprint: imprint(SHA_256, ROOT),
    serialNumber: new asn1js.Integer({ value: 7 }),
    genTime: new Date(Date.UTC(2026, 0, 1)),
    accuracy: new Accuracy({ seconds: 2 }),
    ...changes
  })
  return new Uint8Array(info.toSchema().toBER())
}

/** The token of a granting response. */
export function tokenOf(response: Uint8Array): Uint8Array {
  const { result } = asn1js.fromBER(response)
  return new Uint8Array((result as asn1js.Sequence).valueBlock.value[1]?.valueBeforeDecodeView ?? [])
}

/** The token with revocation data in its SignedData: CRLs and OCSPResponses, in DER (RFC 5652 10.2.1, RFC 5940). */
export function withRevocation(
  token: Uint8Array,
  crls: readonly Uint8Array[],
  responses: readonly Uint8Array[] = []
): Uint8Array {
  const contentInfo = asn1js.fromBER(token).result as asn1js.Sequence
  const signedData = signedDataOf(contentInfo)
  const others = responses.map(
    (response) =>
      new asn1js.Constructed({
        idBlock: { tagClass: 3, tagNumber: 1 },
        value: [new asn1js.ObjectIdentifier({ value: '1.3.6.1.5.5.7.16.2' }), asn1js.fromBER(response).result]
      })
  )
  const field = new asn1js.Constructed({
    idBlock: { tagClass: 3, tagNumber: 1 },
    value: [...crls.map((crl) => asn1js.fromBER(crl).result), ...others]
  })
  signedData.valueBlock.value.splice(-1, 0, field)
  return new Uint8Array(contentInfo.toBER())
}

/** The token with `RevocationValues` (RFC 5126 6.3.4) among its unsigned attributes. */
export function withRevocationValues(token: Uint8Array, crl: Uint8Array): Uint8Array {
  const contentInfo = asn1js.fromBER(token).result as asn1js.Sequence
  const signers = signedDataOf(contentInfo).valueBlock.value.at(-1) as asn1js.Set
  const lists = new asn1js.Sequence({ value: [asn1js.fromBER(crl).result] })
  const values = new asn1js.Sequence({
    value: [new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber: 0 }, value: [lists] })]
  })
  const attribute = new asn1js.Sequence({
    value: [new asn1js.ObjectIdentifier({ value: '1.2.840.113549.1.9.16.2.24' }), new asn1js.Set({ value: [values] })]
  })
  const signer = signers.valueBlock.value[0] as asn1js.Sequence
  signer.valueBlock.value.push(new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber: 1 }, value: [attribute] }))
  return new Uint8Array(contentInfo.toBER())
}

function signedDataOf(contentInfo: asn1js.Sequence): asn1js.Sequence {
  const holder = contentInfo.valueBlock.value[1] as asn1js.Constructed
  return holder.valueBlock.value[0] as asn1js.Sequence
}
