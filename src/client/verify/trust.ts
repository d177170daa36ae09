import { readKnownHeaders } from '../../../protocols/bitcoin-headers/v1/known-headers.ts'
import { fromBase64url } from '../../../protocols/primitives/bytes.ts'
import { publicKeyOfDidKey } from '../../../protocols/signature/v1/did-key.ts'
import { checkPublicKey } from '../../../protocols/signature/v1/ed25519.ts'
import type { CheckedPublicKey } from '../../../protocols/signature/v1/ed25519.ts'
import type { KeyLookup } from '../../events/verified.ts'
import type { FinalityRule } from '../../policy/config-schema.ts'
import type { ProofTrust } from '../../proofs/check-proof.ts'
import { createBitcoinVerifier } from '../../timestamps/bitcoin/verifier.ts'
import type { BitcoinProvider } from '../../timestamps/bitcoin/provider.ts'
import type { TimestampVerifier } from '../../timestamps/verifier.ts'
import { ClientError } from '../errors.ts'

/** What an app knows by itself; nothing of it comes from the node. */
export interface TrustOptions {
  /**
   * Keys of DIDs, got from their holders: `publicKey` is base64url of 32 bytes. A `did:key` needs none, its key is its
   * name.
   */
  readonly keys?: readonly { readonly did: string; readonly kid: string; readonly publicKey: string }[]
  /** The only DIDs whose events are taken. Default: of whomever a key is known, which for `did:key` is everybody. */
  readonly signers?: readonly string[]
  /** The DID of the node whose log it must be. Default: that of the first look. */
  readonly logOf?: string
  /** The DIDs that speak for an organisation, for proofs of its receipts. */
  readonly organisations?: Readonly<Record<string, readonly string[]>>
  /** Headers known to be in the best chain of a Bitcoin network (bitcoin-headers/v1), such as `{ main: text }`. */
  readonly bitcoinHeaders?: Readonly<Record<string, string>>
  /** When evidence on a chain is final; `null`: it is not accepted. Default six blocks on Bitcoin. */
  readonly finality?: (namespace: string, chainId: string) => FinalityRule | null
  /** Further verifiers of timestamp anchors. In Node `createRfc3161Verifier` of `anchormesh` is one. */
  readonly verifiers?: readonly TimestampVerifier[]
}

// A did:key costs a multiplication to check; a thousand signers are about 1 MiB of points.
const DID_KEYS_KEPT_MAX = 1_024

/** As custom has it, and `federation.yaml` by default. */
const FINALITY: ReadonlyMap<string, FinalityRule> = new Map([
  ['btc', { depth: 6 }],
  ['rfc3161', {}]
])

/** The trust of an app, made ready to check with. */
export class Trust implements ProofTrust {
  readonly verifiers: readonly TimestampVerifier[]
  readonly #keys = new Map<string, readonly CheckedPublicKey[]>()
  readonly #didKeys = new Map<string, KeyLookup>()
  readonly #options: TrustOptions

  /** Throws `TRUST_INVALID`: a key that is no good one, headers that are none. */
  constructor(options: TrustOptions) {
    this.#options = options
    for (const { did, kid, publicKey } of options.keys ?? []) {
      const name = nameOf(did, kid)
      this.#keys.set(name, [...(this.#keys.get(name) ?? []), goodKey(name, publicKey)])
    }
    const headers = Object.entries(options.bitcoinHeaders ?? {})
    this.verifiers = [...(options.verifiers ?? []), ...headers.map(([network, text]) => headersVerifier(network, text))]
  }

  readonly findKeys = (signer: string, kid: string): KeyLookup => {
    const keys = this.#keys.get(nameOf(signer, kid))
    if (keys !== undefined) return { ok: true, keys, mayGrow: false }
    if (signer === `did:key:${kid}`) return this.#didKey(signer)
    return { ok: false, code: 'KEY_UNKNOWN', detail: `no key ${kid} of ${signer} is known here` }
  }

  /** Bitcoin evidence without headers of one's own: at most undecided. */
  bitcoinVerifier(network: string, provider: BitcoinProvider): TimestampVerifier {
    return createBitcoinVerifier({ network, providers: [provider], k: 1 })
  }

  finality(namespace: string, chainId: string): FinalityRule | null {
    if (this.#options.finality !== undefined) return this.#options.finality(namespace, chainId)
    return FINALITY.get(chainId.slice(0, chainId.indexOf(':'))) ?? null
  }

  orgOf(did: string): string | undefined {
    return Object.entries(this.#options.organisations ?? {}).find(([, dids]) => dids.includes(did))?.[0]
  }

  /** Whether events of this DID are taken at all. */
  takes(signer: string): boolean {
    return this.#options.signers?.includes(signer) ?? true
  }

  /** The DID whose log the app means. */
  get logOf(): string | undefined {
    return this.#options.logOf
  }

  /** Whether the log of this DID is the one that the app means. */
  meansLogOf(signer: string): boolean {
    return this.#options.logOf === undefined || this.#options.logOf === signer
  }

  #didKey(did: string): KeyLookup {
    const known = this.#didKeys.get(did)
    if (known !== undefined) return known
    const bytes = publicKeyOfDidKey(did)
    const checked = bytes === null ? null : checkPublicKey(bytes)
    const lookup: KeyLookup =
      checked?.ok === true
        ? { ok: true, keys: [checked.key], mayGrow: false }
        : { ok: false, code: 'KEY_WEAK', detail: `${did} is not the did:key of a good Ed25519 key` }
    if (this.#didKeys.size >= DID_KEYS_KEPT_MAX) this.#didKeys.clear()
    this.#didKeys.set(did, lookup)
    return lookup
  }
}

function nameOf(did: string, kid: string): string {
  return `${did}#${kid}`
}

function goodKey(name: string, publicKey: string): CheckedPublicKey {
  const bytes = fromBase64url(publicKey)
  const checked = bytes === null ? null : checkPublicKey(bytes)
  if (checked?.ok === true) return checked.key
  throw invalid(`the key of ${name} is no good Ed25519 key: ${checked?.detail ?? 'no base64url'}`)
}

/** Bitcoin by headers that the app brings: the same verifier as a node's, which asks nobody. */
function headersVerifier(network: string, text: string): TimestampVerifier {
  const reading = readKnownHeaders(text)
  if (!reading.ok) throw invalid(`the headers of ${network} are none: line ${reading.line}: ${reading.detail}`)
  const { byHash, byHeight, tipHeight } = reading.headers
  const provider: BitcoinProvider = {
    name: 'known headers',
    place: (blockHash, blockHeight) => {
      const atHeight = byHeight.get(blockHeight)
      if (atHeight === undefined && blockHeight <= tipHeight) {
        const detail = `there is no header of height ${blockHeight}`
        return Promise.resolve({ ok: false, code: 'PROVIDER_UNREACHABLE', detail, retryAfterMs: 0 })
      }
      const header = byHash.get(blockHash)?.header ?? null
      return Promise.resolve({ ok: true, value: { header, hashAtHeight: atHeight?.hash ?? null, tipHeight } })
    }
  }
  return createBitcoinVerifier({ network, providers: [provider], k: 1 })
}

function invalid(detail: string): ClientError {
  return new ClientError('TRUST_INVALID', detail, { hint: 'Ask whom it comes from for it once more.' })
}
