import { hashOf, TS } from './event-parts.ts'
import type { Vector, VectorFile } from './vector-file.ts'

type Parts = Readonly<Record<string, unknown>>

const MAX = Number.MAX_SAFE_INTEGER

const evidence = {
  batchId: 'batch-1',
  batchRoot: hashOf('root'),
  chainId: 'btc:mainnet',
  evidenceHash: hashOf('evidence'),
  evidenceId: hashOf('txid'),
  owner: 'vaultmesh'
}
const verified = { ...evidence, finality: { depth: 6 }, outcome: 'verified', position: 860_000, provenTime: TS }
const refuted = { ...evidence, code: 'BTC_NOT_BEST_CHAIN', outcome: 'refuted' }

/** The vectors of the body `attestation` of event/v1. */
export function attestationVectors(): readonly VectorFile[] {
  return [
    {
      path: 'event/v1/vectors/attestation.json',
      description: 'Bodies of attestations.',
      vectors: attestations()
    },
    {
      path: 'event/v1/vectors/attestation-invalid.json',
      description: 'Bodies that are no attestation (BODY_INVALID), with the rule that they break.',
      vectors: invalidAttestations()
    },
    {
      path: 'event/v1/vectors/attestation-counting.json',
      description:
        'Attestations of one signer on one piece of evidence, in any order; `counts` is the index of the one that does.',
      vectors: counting()
    }
  ]
}

function attestations(): Vector[] {
  const { finality: _finality, ...unsaid } = verified
  return [
    { description: 'a Bitcoin transaction, six blocks deep', body: verified },
    {
      description: 'an EVM transaction that its chain has final',
      body: { ...verified, chainId: 'eip155:1', finality: { tag: 'finalized' } }
    },
    {
      description: 'a token, which is final as it stands',
      body: { ...unsaid, chainId: 'rfc3161:freetsa', position: TS - 1_000 }
    },
    {
      description: 'the first block, at time zero, nothing on top',
      body: { ...verified, finality: { depth: 0 }, position: 0, provenTime: 0 }
    },
    {
      description: 'the greatest numbers',
      body: { ...verified, finality: { depth: MAX }, position: MAX, provenTime: MAX }
    },
    { description: 'a refutation', body: refuted },
    { description: 'what was verified once is not final any more', body: { ...refuted, code: 'NOT_FINAL' } },
    { description: 'a code that this document does not name', body: { ...refuted, code: `A${'0_'.repeat(31)}Z` } }
  ]
}

function invalidAttestations(): Vector[] {
  const invalid = (description: string, rule: string, changes: Parts, from: Parts = verified): Vector => ({
    description,
    rule,
    body: { ...from, ...changes }
  })
  const without = (name: string, from: Parts = verified): Parts =>
    Object.fromEntries(Object.entries(from).filter(([member]) => member !== name))
  return [
    { description: 'no members', rule: 'EV-50', body: {} },
    ...['batchId', 'batchRoot', 'chainId', 'evidenceHash', 'evidenceId', 'outcome', 'owner'].map((name) => ({
      description: `no ${name}`,
      rule: 'EV-50',
      body: without(name)
    })),
    invalid('a further member', 'EV-50', { note: '' }),
    invalid('a batch id with a slash', 'EV-50', { batchId: 'a/b' }),
    invalid('an owner that is null', 'EV-50', { owner: null }),
    invalid('a root in upper case', 'EV-50', { batchRoot: 'A'.repeat(64) }),
    invalid('an unknown rail', 'EV-50', { chainId: 'roughtime:a' }),
    invalid('a chain number with a zero before it', 'EV-50', { chainId: 'eip155:01' }),
    invalid('an evidence id with a prefix', 'EV-50', { evidenceId: `0x${hashOf('txid').slice(2)}` }),
    invalid('another outcome', 'EV-50', { outcome: 'pending' }),
    invalid('an outcome in upper case', 'EV-50', { outcome: 'VERIFIED' }),
    { description: 'verified without a time', rule: 'EV-51', body: without('provenTime') },
    { description: 'verified without a position', rule: 'EV-51', body: without('position') },
    invalid('verified with a code', 'EV-51', { code: 'BTC_POW' }),
    invalid('a time below zero', 'EV-51', { provenTime: -1 }),
    invalid('half a block', 'EV-51', { position: 0.5 }),
    invalid('a position as text', 'EV-51', { position: '860000' }),
    invalid('a finality that is null', 'EV-51', { finality: null }),
    invalid('an empty finality', 'EV-51', { finality: {} }),
    invalid('a depth and a tag', 'EV-51', { finality: { depth: 6, tag: 'finalized' } }),
    invalid('a depth below zero', 'EV-51', { finality: { depth: -1 } }),
    invalid('a tag in upper case', 'EV-51', { finality: { tag: 'Finalized' } }),
    { description: 'refuted without a code', rule: 'EV-52', body: without('code', refuted) },
    invalid('refuted with a time', 'EV-52', { provenTime: TS }, refuted),
    invalid('refuted with a finality', 'EV-52', { finality: { depth: 6 } }, refuted),
    invalid('a code in lower case', 'EV-52', { code: 'not_final' }, refuted),
    invalid('a code that is null', 'EV-52', { code: null }, refuted),
    invalid('a code of 65 characters', 'EV-52', { code: 'A'.repeat(65) }, refuted)
  ]
}

function counting(): Vector[] {
  const [low, high] = [hashOf('one'), hashOf('another')].toSorted() as [string, string]
  const vector = (
    description: string,
    places: readonly { readonly ts: number; readonly authorSeq: number; readonly id: string }[],
    counts: number
  ): Vector => ({ description, attestations: places, counts })
  return [
    vector('the only one', [{ ts: TS, authorSeq: 1, id: low }], 0),
    vector(
      'the later time, though its chain is shorter: under another kid',
      [
        { ts: TS + 1, authorSeq: 2, id: high },
        { ts: TS, authorSeq: 9, id: low }
      ],
      0
    ),
    vector(
      'of one time the later in the chain',
      [
        { ts: TS, authorSeq: 3, id: low },
        { ts: TS, authorSeq: 10, id: high }
      ],
      1
    ),
    vector(
      'the two sides of a fork, at one time: the smaller id',
      [
        { ts: TS, authorSeq: 3, id: high },
        { ts: TS, authorSeq: 3, id: low }
      ],
      1
    ),
    vector(
      'three',
      [
        { ts: TS, authorSeq: 7, id: low },
        { ts: TS + 5, authorSeq: 2, id: high },
        { ts: TS + 5, authorSeq: 1, id: low }
      ],
      1
    )
  ]
}
