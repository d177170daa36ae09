import { readFile } from 'node:fs/promises'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { parseBitcoinProvider } from '../policy/bitcoin-provider.ts'
import type { FederationConfig } from '../policy/config-schema.ts'
import type { TsaPolicy } from '../policy/policy.ts'
import type { AnchorTrust } from '../proofs/check-anchors.ts'
import { readKnownHeaders } from '../../protocols/bitcoin-headers/v1/known-headers.ts'
import { createBitcoinVerifier } from '../timestamps/bitcoin/verifier.ts'
import { HeadersFileProvider } from '../timestamps/clients/bitcoin-headers-file.ts'
import { createRfc3161Verifier } from '../timestamps/rfc3161/verifier.ts'
import type { TimestampVerifier } from '../timestamps/verifier.ts'
import { unusablePath } from './unusable-path.ts'

/** What a proof's timestamp anchors are checked with. */
export interface ProofVerifierOptions {
  /** What the tokens of an authority are checked against; `undefined` where the reader knows none of its roots. */
  readonly authorities: (tsa: string) => TsaPolicy | undefined
  /** Files of headers that are known to be in the best chain of the network that a proof names. */
  readonly headerFiles: readonly string[]
  /** The Bitcoin networks of a data folder; of their providers only files of headers are used. `null`: none. */
  readonly networks: { readonly folder: string; readonly rails: FederationConfig['rails']['btc'] } | null
  readonly clock: Clock
}

const BITCOIN = 'btc:'

/** The verifiers that ask nobody. Throws `USAGE` for a file of headers that can't be used. */
export async function proofVerifiers(
  options: ProofVerifierOptions
): Promise<Pick<AnchorTrust, 'verifiers' | 'bitcoinVerifier'>> {
  for (const file of options.headerFiles) await requireHeaders(file)
  return {
    verifiers: [createRfc3161Verifier(remembered(options.authorities)), knownHeadersVerifier(options)],
    bitcoinVerifier: (network, provider) => createBitcoinVerifier({ network, providers: [provider], k: 1 })
  }
}

/** The verifier asks for the same object as long as it says the same. */
function remembered(authorities: ProofVerifierOptions['authorities']): ProofVerifierOptions['authorities'] {
  const known = new Map<string, TsaPolicy | undefined>()
  return (tsa) => {
    if (!known.has(tsa)) known.set(tsa, authorities(tsa))
    return known.get(tsa)
  }
}

/** Bitcoin by files of known headers, on whichever network there are some for. */
function knownHeadersVerifier({ headerFiles, networks, clock }: ProofVerifierOptions): TimestampVerifier {
  const filesOf = (network: string): readonly string[] => {
    // The proof names the network, perhaps by what every object has.
    const settings = networks !== null && Object.hasOwn(networks.rails, network) ? networks.rails[network] : undefined
    const configured = settings?.providers.map(parseBitcoinProvider) ?? []
    return configured.flatMap((address) => (address?.kind === 'headers' ? [address.file] : []))
  }
  const providersOf = (network: string): readonly HeadersFileProvider[] => [
    ...headerFiles.map((file) => new HeadersFileProvider({ kind: 'headers', file }, { network, folder: '.', clock })),
    ...filesOf(network).map(
      (file) => new HeadersFileProvider({ kind: 'headers', file }, { network, folder: networks?.folder ?? '.', clock })
    )
  ]
  const networkOf = (chainId: string): string => chainId.slice(BITCOIN.length)
  return {
    name: 'known headers',
    handles: (chainId) => chainId.startsWith(BITCOIN) && providersOf(networkOf(chainId)).length > 0,
    verify(request, signal) {
      const network = networkOf(request.timestampAnchor.chainId)
      const verifier = createBitcoinVerifier({ network, providers: providersOf(network), k: 1 })
      return verifier.verify(request, signal)
    }
  }
}

async function requireHeaders(file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw unusablePath(file, 'read', error)
  })
  const reading = readKnownHeaders(text)
  if (reading.ok) return
  throw new AnchormeshError('USAGE', `${file} is no file of headers: line ${reading.line}: ${reading.detail}`, {
    hint: 'Each line has a height, a space and the 80 bytes of a header in hex.'
  })
}
