import type { JsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import { TS, authorOf, hashOf } from './event-parts.ts'
import type { Vector, VectorFile } from './vector-file.ts'

/** A candidate as WIN-2 has it. */
interface Candidate {
  readonly chainId: string
  readonly evidenceId: string
  readonly evidenceHash: string
  readonly batchRoot: string
  readonly eventId: string
  readonly provenTime: number
  readonly position: number
}

interface Statement {
  readonly outcome: 'verified' | 'refuted'
  readonly provenTime: number | null
  readonly position: number | null
  readonly ts?: number
}

/** The vectors of winner/v1. */
export function winnerVectors(): readonly VectorFile[] {
  return [
    {
      path: 'winner/v1/vectors/winners.json',
      description:
        '`candidates` in any order; `winner` and `losers` are their indexes, losers strongest first, each with the rule that decided against it.',
      vectors: winners()
    },
    {
      path: 'winner/v1/vectors/quorum.json',
      description:
        'What was found here of the winner (`found`; null: there is none), the rule of the namespace (null: none), what each DID says of its evidence and of other evidence for the same root and chain, and what follows.',
      vectors: quorums()
    }
  ]
}

const bitcoin: Candidate = {
  chainId: 'btc:mainnet',
  evidenceId: hashOf('a Bitcoin transaction'),
  evidenceHash: hashOf('Bitcoin evidence'),
  batchRoot: hashOf('root'),
  eventId: hashOf('the announce'),
  provenTime: 1_725_000_000_000,
  position: 860_000
}
const ethereum: Candidate = {
  ...bitcoin,
  chainId: 'eip155:1',
  evidenceId: hashOf('an Ethereum transaction'),
  evidenceHash: hashOf('Ethereum evidence'),
  provenTime: 1_724_990_000_000,
  position: 20_650_000
}
const token: Candidate = {
  ...bitcoin,
  chainId: 'rfc3161:freetsa',
  evidenceId: hashOf('a token'),
  evidenceHash: hashOf('token evidence'),
  provenTime: 1_724_980_001_000,
  position: 1_724_980_000_000
}

type Expected = readonly (readonly [index: number, rule: string])[]

function winners(): Vector[] {
  const vector = (
    description: string,
    candidates: readonly Candidate[],
    winner: number | null,
    losers: Expected
  ): Vector => ({
    description,
    candidates,
    winner,
    losers: losers.map(([candidate, rule]) => ({
      candidate,
      rule,
      supersededBy: candidates[winner ?? 0]?.evidenceHash
    })),
    earliestProvenTime: candidates.length === 0 ? null : Math.min(...candidates.map(({ provenTime }) => provenTime))
  })
  const [low, high] = [hashOf('one'), hashOf('another')].toSorted() as [string, string]
  return [
    vector('the example of the SPEC: a later Bitcoin block wins over an earlier Ethereum one', [ethereum, bitcoin], 1, [
      [0, 'rail']
    ]),
    vector('no candidates', [], null, []),
    vector('one candidate', [token], 0, []),
    vector('the rails, weakest first', [token, ethereum, bitcoin], 2, [
      [1, 'rail'],
      [0, 'rail']
    ]),
    vector(
      'chain ids are compared by byte, not by number, and before heights',
      [
        { ...ethereum, chainId: 'eip155:9', position: 99 },
        { ...ethereum, chainId: 'eip155:10', position: 1 },
        { ...ethereum, chainId: 'eip155:1', position: 2 }
      ],
      2,
      [
        [1, 'chain-id'],
        [0, 'chain-id']
      ]
    ),
    vector(
      'a chain id that another begins with is the smaller',
      [
        { ...token, chainId: 'rfc3161:a.b' },
        { ...token, chainId: 'rfc3161:a' },
        { ...token, chainId: 'rfc3161:a-b' }
      ],
      1,
      [
        [2, 'chain-id'],
        [0, 'chain-id']
      ]
    ),
    vector(
      'the higher block, by number and not by digits',
      [
        { ...bitcoin, position: 99_999 },
        { ...bitcoin, position: 100_000, provenTime: 1_726_000_000_000 }
      ],
      1,
      [[0, 'block-height']]
    ),
    vector(
      'the greatest and the least height',
      [
        { ...ethereum, position: 0 },
        { ...ethereum, position: Number.MAX_SAFE_INTEGER }
      ],
      1,
      [[0, 'block-height']]
    ),
    vector(
      'the earlier genTime, whatever the accuracy adds to the time that is proven',
      [
        { ...token, position: token.position + 1, provenTime: token.position + 1 },
        { ...token, provenTime: token.position + 60_000 }
      ],
      1,
      [[0, 'gen-time']]
    ),
    vector(
      'the smaller evidence id, before root, event and hash',
      [
        { ...bitcoin, evidenceId: high, batchRoot: low, eventId: low, evidenceHash: low },
        { ...bitcoin, evidenceId: low, batchRoot: high, eventId: high, evidenceHash: high }
      ],
      1,
      [[0, 'evidence-id']]
    ),
    vector(
      'two roots of one owner: the smaller',
      [
        { ...bitcoin, batchRoot: high, eventId: low, evidenceHash: low },
        { ...bitcoin, batchRoot: low, eventId: high, evidenceHash: high }
      ],
      1,
      [[0, 'batch-root']]
    ),
    vector(
      'the smaller event id',
      [
        { ...bitcoin, eventId: high, evidenceHash: low },
        { ...bitcoin, eventId: low, evidenceHash: high }
      ],
      1,
      [[0, 'event-id']]
    ),
    vector(
      'two contents under one evidence id in one event: the smaller evidence hash',
      [
        { ...bitcoin, evidenceHash: high },
        { ...bitcoin, evidenceHash: low }
      ],
      1,
      [[0, 'evidence-hash']]
    ),
    vector(
      'the rule of a loser is against the winner, not against the next one',
      [
        { ...ethereum, position: 7 },
        { ...ethereum, position: 8, evidenceId: high },
        { ...ethereum, position: 8, evidenceId: low },
        { ...token, position: 1 },
        { ...token, position: 2, provenTime: 5 }
      ],
      2,
      [
        [1, 'evidence-id'],
        [0, 'block-height'],
        [3, 'rail'],
        [4, 'rail']
      ]
    )
  ]
}

const [first, second, third] = ['ada', 'bob', 'carol'].map((label) => authorOf(label).did).toSorted() as [
  string,
  string,
  string
]
const outsider = authorOf('dora').did
const verified = ({ provenTime, position }: Candidate): Statement => ({ outcome: 'verified', provenTime, position })
const refuted: Statement = { outcome: 'refuted', provenTime: null, position: null }

function quorums(): Vector[] {
  const vector = (
    description: string,
    parts: {
      readonly found?: Statement | null
      readonly rule?: { readonly k: number; readonly of: readonly string[] } | null
      readonly validUntil?: number
      readonly statements?: Readonly<Record<string, Statement>>
      readonly others?: Readonly<Record<string, readonly Statement[]>>
    },
    state: string,
    attested: readonly string[] = [],
    contradicting: readonly string[] = []
  ): Vector => {
    const { found = verified(bitcoin), rule = { k: 2, of: [first, second, third] }, validUntil = null } = parts
    const made = Object.entries(parts.statements ?? {}).map(([did, said]) => [did, { ts: TS, ...said }] as const)
    const statements: JsonObject = Object.fromEntries(made)
    const others: JsonObject = Object.fromEntries(
      Object.entries(parts.others ?? {}).map(([did, all]) => [did, all.map((said) => ({ ts: TS, ...said }))] as const)
    )
    const missing = (rule?.of ?? []).filter((did) => !attested.includes(did) && !contradicting.includes(did)).toSorted()
    const quorum =
      rule === null || found === null ? null : { k: rule.k, of: rule.of.length, attested, contradicting, missing }
    return { description, found, rule, validUntil, statements, others, quorum, state }
  }
  const yes = verified(bitcoin)
  return [
    vector('nothing is verified here, whatever others say', { found: null, statements: { [first]: yes } }, 'proposed'),
    vector(
      'no quorum is asked for',
      { rule: null, statements: { [first]: yes, [second]: yes, [third]: yes } },
      'verified'
    ),
    vector('nobody has attested', {}, 'verified'),
    vector('one of two', { statements: { [second]: yes } }, 'verified', [second]),
    vector('two of two', { statements: { [third]: yes, [first]: yes } }, 'settled', [first, third]),
    vector(
      'the set in another order, the lists in theirs',
      { rule: { k: 2, of: [third, first, second] }, statements: { [third]: yes, [second]: yes } },
      'settled',
      [second, third]
    ),
    vector('somebody outside of the set', { statements: { [first]: yes, [outsider]: yes } }, 'verified', [first]),
    vector('a refutation', { statements: { [first]: yes, [second]: refuted } }, 'verified', [first], [second]),
    vector(
      'a quorum stands against a refutation',
      { statements: { [first]: yes, [second]: refuted, [third]: yes } },
      'settled',
      [first, third],
      [second]
    ),
    vector(
      'another time',
      { statements: { [first]: yes, [second]: { ...yes, provenTime: bitcoin.provenTime + 1 } } },
      'verified',
      [first],
      [second]
    ),
    vector(
      'another height',
      { statements: { [first]: yes, [second]: { ...yes, position: bitcoin.position - 1 } } },
      'verified',
      [first],
      [second]
    ),
    vector(
      'a bound that is met to the millisecond',
      { validUntil: TS, statements: { [first]: yes, [second]: yes } },
      'settled',
      [first, second]
    ),
    vector(
      'one that came a millisecond too late',
      { validUntil: TS, statements: { [first]: yes, [second]: { ...yes, ts: TS + 1 } } },
      'verified',
      [first]
    ),
    vector(
      'too late to agree is not too late to contradict',
      { validUntil: TS, statements: { [first]: yes, [second]: yes, [third]: { ...refuted, ts: TS + 1 } } },
      'settled',
      [first, second],
      [third]
    ),
    vector(
      'an organisation that was never valid',
      { validUntil: 0, statements: { [first]: yes, [second]: yes, [third]: yes } },
      'verified'
    ),
    vector(
      'the same of other evidence settles as well',
      { statements: { [first]: yes }, others: { [third]: [yes] } },
      'settled',
      [first, third]
    ),
    vector(
      'who says it of two pieces counts once',
      { statements: { [first]: yes }, others: { [first]: [yes, yes] } },
      'verified',
      [first]
    ),
    vector(
      'of other evidence another time, another height or a refutation is nothing said of the winner',
      {
        others: {
          [first]: [{ ...yes, provenTime: bitcoin.provenTime + 1 }],
          [second]: [refuted, { ...yes, position: bitcoin.position - 1 }],
          [third]: [refuted, yes]
        }
      },
      'verified',
      [third]
    ),
    vector(
      "what contradicts on the winner's evidence is not made good by other evidence",
      { statements: { [first]: yes, [second]: refuted }, others: { [second]: [yes] } },
      'verified',
      [first],
      [second]
    ),
    vector(
      "too late on the winner's evidence, in time on other",
      {
        validUntil: TS,
        statements: { [first]: { ...yes, ts: TS + 1 }, [second]: { ...yes, ts: TS + 1 } },
        others: { [first]: [{ ...yes, ts: TS + 2 }, yes], [second]: [{ ...yes, ts: TS + 2 }] }
      },
      'verified',
      [first]
    ),
    vector(
      'of other evidence, by somebody outside of the set',
      { others: { [first]: [yes], [outsider]: [yes] } },
      'verified',
      [first]
    ),
    vector('one of one', { rule: { k: 1, of: [first] }, statements: { [first]: yes } }, 'settled', [first])
  ]
}
