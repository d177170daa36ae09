import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BitcoinTimestampAnchor } from '../../protocols/event/v1/timestamp-anchor.ts'
import { fromHex } from '../../protocols/primitives/bytes.ts'
import type { BitcoinProvider, BlockPlace } from '../../src/timestamps/bitcoin/provider.ts'
import { createBitcoinVerifier } from '../../src/timestamps/bitcoin/verifier.ts'
import type { ProviderAnswer } from '../../src/timestamps/provider.ts'
import type { VerifierResult } from '../../src/timestamps/verifier.ts'
import { PROTOCOLS } from '../protocols/make-vectors.ts'
import { readJson } from '../protocols/third-party.ts'

interface Evidence {
  readonly description: string
  readonly timestampAnchor: BitcoinTimestampAnchor
  readonly batchRoot: string
  readonly header: string
  readonly provenTime: number
}

type Invalid = Omit<Evidence, 'header'> & { readonly header?: string; readonly code: string }

const vectorsOf = (name: string): readonly unknown[] =>
  (readJson(PROTOCOLS, `bitcoin-evidence/v1/vectors/${name}.json`) as { vectors: readonly unknown[] }).vectors

const VALID = vectorsOf('evidence') as readonly Evidence[]
const INVALID = vectorsOf('evidence-invalid') as readonly Invalid[]
const GOOD = VALID[0] as Evidence
const HEIGHT = GOOD.timestampAnchor.blockHeight
const OTHER_HASH = 'ab'.repeat(32)
const THIRD_HASH = 'cd'.repeat(32)
const NEEDED = 6
const MINUTE_MS = 60_000

const networkOf = ({ chainId }: BitcoinTimestampAnchor): string => chainId.slice('btc:'.length)

type Answer = ProviderAnswer<BlockPlace>
type Providers = readonly (Answer | ((blockHash: string, blockHeight: number) => Answer))[]

function providersOf(answers: Providers): readonly BitcoinProvider[] {
  return answers.map((answer, index) => ({
    name: `provider-${index}`,
    place: (blockHash, blockHeight) =>
      Promise.resolve(typeof answer === 'function' ? answer(blockHash, blockHeight) : answer)
  }))
}

function verify(evidence: Omit<Evidence, 'header' | 'provenTime'>, answers: Providers, k = 1): Promise<VerifierResult> {
  const { timestampAnchor, batchRoot } = evidence
  const verifier = createBitcoinVerifier({
    network: networkOf(timestampAnchor),
    providers: providersOf(answers),
    k
  })
  const request = { timestampAnchor, batchRoot, finality: { depth: NEEDED } }
  return verifier.verify(request, new AbortController().signal)
}

const place = (value: BlockPlace): Answer => ({ ok: true, value })
function placeOf(answer: Answer): BlockPlace {
  if (!answer.ok) throw new Error(answer.detail)
  return answer.value
}
const headerOf = (evidence: { readonly header: string }): Uint8Array => fromHex(evidence.header) as Uint8Array

/** A provider that sees the block with so many on top of it. */
const sees = (depth: number, evidence: Evidence = GOOD): Answer =>
  place({
    header: headerOf(evidence),
    hashAtHeight: evidence.timestampAnchor.blockHash,
    tipHeight: evidence.timestampAnchor.blockHeight + depth
  })
/** A provider that sees another block in its place; it may know ours from before. */
const seesOther = (depth: number, { hash = OTHER_HASH, knows = false } = {}): Answer =>
  place({ header: knows ? headerOf(GOOD) : null, hashAtHeight: hash, tipHeight: HEIGHT + depth })
const behind = (blocks: number): Answer => place({ header: null, hashAtHeight: null, tipHeight: HEIGHT - blocks })
const failing = (code: 'PROVIDER_TIMEOUT' | 'PROVIDER_LIMITED', retryAfterMs = 0): Answer => ({
  ok: false,
  code,
  detail: 'it failed',
  retryAfterMs
})
const NEVER_ASKED: Providers = [
  () => {
    throw new Error('a provider was asked')
  }
]

describe('evidence', () => {
  test.each(VALID)('$description', async (evidence) => {
    const { timestampAnchor, header, provenTime } = evidence
    expect(await verify(evidence, [sees(NEEDED, evidence)])).toEqual({
      outcome: 'valid',
      finality: { depth: NEEDED },
      provenTime,
      position: timestampAnchor.blockHeight,
      evidence: { header, providers: ['provider-0'] },
      recheckAfterMs: 60 * MINUTE_MS
    })
  })

  test.each(INVALID.filter(({ header }) => header === undefined))(
    '$code: $description, found before anybody is asked',
    async (evidence) => {
      const result = await verify(evidence, NEVER_ASKED)
      expect(result).toMatchObject({ outcome: 'invalid', code: evidence.code })
      expect(result).not.toHaveProperty('recheckAfterMs')
    }
  )

  test.each(INVALID.filter(({ header }) => header !== undefined) as readonly (Invalid & Evidence)[])(
    '$code: $description, found by the header',
    async (evidence) => {
      const result = await verify(evidence, [sees(NEEDED, evidence)])
      expect(result).toMatchObject({ outcome: 'invalid', code: evidence.code })
      expect(result).not.toHaveProperty('recheckAfterMs')
      expect(await verify(evidence, [sees(0, evidence)])).toEqual(result)
      // Of a block that is not in the best chain only some have the header: it must not make their verdicts differ.
      const { header, hashAtHeight, tipHeight } = placeOf(sees(NEEDED, evidence))
      expect(hashAtHeight).not.toBe(OTHER_HASH)
      const [knows, knowsNot] = [header, null].map((known) =>
        place({ header: known, hashAtHeight: OTHER_HASH, tipHeight })
      ) as [Answer, Answer]
      expect(await verify(evidence, [knows])).toMatchObject({ code: 'BTC_NOT_BEST_CHAIN' })
      expect(await verify(evidence, [knows])).toEqual(await verify(evidence, [knowsNot]))
      const [knowsLater, knowsNothing] = [header, null].map((known) =>
        place({ header: known, hashAtHeight: null, tipHeight: evidence.timestampAnchor.blockHeight - 1 })
      ) as [Answer, Answer]
      expect(await verify(evidence, [knowsLater])).toMatchObject({ outcome: 'notYetFinal' })
      expect(await verify(evidence, [knowsLater])).toEqual(await verify(evidence, [knowsNothing]))
    }
  )

  test('bytes that are not here', async () => {
    const timestampAnchor = { ...GOOD.timestampAnchor, rawTx: { blob: OTHER_HASH } } as BitcoinTimestampAnchor
    expect(await verify({ ...GOOD, timestampAnchor }, NEVER_ASKED)).toMatchObject({
      outcome: 'unreachable',
      code: 'EVIDENCE_MISSING'
    })
  })
})

describe('one provider', () => {
  test('the depth grows until it is enough', async () => {
    for (const depth of [0, 1, NEEDED - 1]) {
      expect(await verify(GOOD, [sees(depth)])).toEqual({
        outcome: 'notYetFinal',
        depth,
        needed: NEEDED,
        retryAfterMs: (NEEDED - depth) * MINUTE_MS
      })
    }
    expect(await verify(GOOD, [sees(NEEDED)])).toMatchObject({ outcome: 'valid' })
  })

  test('what is final is looked at again until it is buried, and nothing else about it changes', async () => {
    const { recheckAfterMs, ...shallow } = (await verify(GOOD, [sees(99)])) as { recheckAfterMs?: number }
    expect(recheckAfterMs).toBeGreaterThan(0)
    expect(await verify(GOOD, [sees(100)])).toEqual(shallow)
  })

  test('another block at the height counts once it is as deep as ours would have to be', async () => {
    for (const knows of [true, false]) {
      expect(await verify(GOOD, [seesOther(NEEDED - 1, { knows })])).toMatchObject({ outcome: 'notYetFinal', depth: 0 })
      const result = await verify(GOOD, [seesOther(NEEDED, { knows })])
      expect(result).toMatchObject({ outcome: 'invalid', code: 'BTC_NOT_BEST_CHAIN' })
      expect(result).toHaveProperty('detail', expect.stringContaining(OTHER_HASH))
      expect(result).toHaveProperty('recheckAfterMs', 60 * MINUTE_MS)
    }
    expect(await verify(GOOD, [seesOther(100)])).toHaveProperty('recheckAfterMs', 24 * 60 * MINUTE_MS)
  })

  test('a height that is still to come is waited for, the longer the further off it is', async () => {
    expect(await verify(GOOD, [behind(1)])).toEqual({
      outcome: 'notYetFinal',
      depth: 0,
      needed: NEEDED,
      retryAfterMs: (NEEDED + 1) * MINUTE_MS
    })
    const timestampAnchor = { ...GOOD.timestampAnchor, blockHeight: Number.MAX_SAFE_INTEGER }
    expect(await verify({ ...GOOD, timestampAnchor }, [behind(0)])).toMatchObject({
      outcome: 'notYetFinal',
      retryAfterMs: 24 * 60 * MINUTE_MS
    })
  })

  test('what it asks for is the block of the evidence', async () => {
    const asked: unknown[] = []
    await verify(GOOD, [
      (blockHash, blockHeight) => {
        asked.push([blockHash, blockHeight])
        return sees(0)
      }
    ])
    expect(asked).toEqual([[GOOD.timestampAnchor.blockHash, HEIGHT]])
  })

  const other = VALID.find(({ timestampAnchor }) => timestampAnchor.blockHash !== GOOD.timestampAnchor.blockHash)
  const lies: readonly (readonly [string, BlockPlace])[] = [
    ['the header of another block', { ...placeOf(sees(NEEDED)), header: headerOf(other as Evidence) }],
    ['a header that is cut off', { ...placeOf(sees(NEEDED)), header: headerOf(GOOD).subarray(0, 79) }],
    ['a header with another time', { ...placeOf(sees(NEEDED)), header: headerOf(GOOD).with(68, 0xff) }],
    ['a block in its chain without header', { ...placeOf(sees(NEEDED)), header: null }],
    ['a block above its tip', { ...placeOf(sees(NEEDED)), tipHeight: HEIGHT - 1 }],
    ['no block below its tip', { ...placeOf(sees(NEEDED)), hashAtHeight: null }]
  ]
  test.each(lies)('%s is no answer', async (_what, lie) => {
    expect(await verify(GOOD, [place(lie)])).toMatchObject({ outcome: 'unreachable', code: 'PROVIDER_MALFORMED' })
    // Nor does it stand in the way of one that is.
    expect(await verify(GOOD, [place(lie), sees(NEEDED)])).toMatchObject({
      outcome: 'valid',
      evidence: { providers: ['provider-1'] }
    })
  })
})

describe('several providers', () => {
  test('as deep as k of them see it', async () => {
    const answers = [sees(0), sees(8), sees(5)]
    expect(await verify(GOOD, answers, 1)).toMatchObject({ outcome: 'valid' })
    expect(await verify(GOOD, answers, 2)).toMatchObject({ outcome: 'notYetFinal', depth: 5 })
    expect(await verify(GOOD, answers, 3)).toMatchObject({ outcome: 'notYetFinal', depth: 0 })
  })

  test('those who contradict each other prove nothing, however many are of one opinion', async () => {
    const disagree = { outcome: 'unreachable', code: 'PROVIDERS_DISAGREE' }
    expect(await verify(GOOD, [sees(200), sees(200), seesOther(0)])).toMatchObject(disagree)
    expect(await verify(GOOD, [seesOther(9), seesOther(9, { hash: THIRD_HASH })])).toMatchObject(disagree)
    expect(await verify(GOOD, [sees(9), seesOther(9)], 2)).toMatchObject({ retryAfterMs: 5 * MINUTE_MS })
  })

  test('one that is behind contradicts nobody, and confirms nothing', async () => {
    expect(await verify(GOOD, [sees(9), behind(1)], 1)).toMatchObject({ outcome: 'valid' })
    expect(await verify(GOOD, [sees(9), behind(1)], 2)).toMatchObject({ outcome: 'notYetFinal', depth: 0 })
    expect(await verify(GOOD, [seesOther(9), behind(1)], 2)).toMatchObject({ outcome: 'notYetFinal', depth: 0 })
    expect(await verify(GOOD, [behind(5), behind(1)], 2)).toMatchObject({
      outcome: 'notYetFinal',
      retryAfterMs: (NEEDED + 1) * MINUTE_MS
    })
  })

  test('failures do not count, and too few answers are none', async () => {
    const failures = [failing('PROVIDER_TIMEOUT', 900), failing('PROVIDER_LIMITED', 500)]
    expect(await verify(GOOD, [...failures, sees(9)], 1)).toMatchObject({ outcome: 'valid' })
    const none = { outcome: 'unreachable', code: 'PROVIDER_TIMEOUT', retryAfterMs: 500 }
    expect(await verify(GOOD, [...failures, sees(9)], 2)).toEqual(none)
    expect(await verify(GOOD, [...failures, behind(1)], 2)).toEqual(none)
    expect(await verify(GOOD, failures)).toEqual(none)
    expect(await verify(GOOD, [])).toMatchObject({ outcome: 'unreachable', code: 'PROVIDER_UNREACHABLE' })
  })

  test('the order in which they stand does not matter, and no other answer than k good ones makes it valid', async () => {
    const answer = fc.oneof(
      fc.nat(12).map((depth) => ({ depth, answer: sees(depth) })),
      fc.constantFrom(seesOther(9), behind(2), failing('PROVIDER_LIMITED')).map((bad) => ({ depth: -1, answer: bad }))
    )
    await fc.assert(
      fc.asyncProperty(fc.array(answer, { maxLength: 6 }), fc.integer({ min: 1, max: 4 }), async (all, k) => {
        const answers = all.map((one) => one.answer)
        const result = await verify(GOOD, answers, k)
        const other = answers.some((one) => one.ok && one.value.hashAtHeight === OTHER_HASH)
        const deep = all.filter(({ depth }) => depth >= NEEDED).length
        expect(result.outcome === 'valid').toBe(!other && deep >= k)
        const reversed = await verify(GOOD, answers.toReversed(), k)
        expect(withoutNames(reversed)).toEqual(withoutNames(result))
      })
    )
  })

  /** Names are numbers in the order of the providers. */
  function withoutNames(result: VerifierResult): VerifierResult {
    return result.outcome === 'valid' ? { ...result, evidence: {} } : result
  }
})

describe('the verifier', () => {
  test('is for one network', async () => {
    const verifier = createBitcoinVerifier({ network: 'regtest', providers: [], k: 1 })
    expect(verifier.name).toBe('btc:regtest')
    expect(['btc:regtest', 'btc:regtest2', 'btc:mainnet', 'eip155:1'].filter((id) => verifier.handles(id))).toEqual([
      'btc:regtest'
    ])
    const timestampAnchor = { ...GOOD.timestampAnchor, chainId: 'btc:mainnet' }
    const request = { timestampAnchor, batchRoot: GOOD.batchRoot, finality: { depth: 1 } }
    await expect(verifier.verify(request, new AbortController().signal)).rejects.toThrow(RangeError)
  })

  test('wants a number of providers from 1 and a depth', async () => {
    expect(() => createBitcoinVerifier({ network: 'regtest', providers: [], k: 0 })).toThrow(RangeError)
    const verifier = createBitcoinVerifier({ network: 'regtest', providers: [], k: 1 })
    const { timestampAnchor, batchRoot } = GOOD
    const request = { timestampAnchor, batchRoot, finality: {} }
    await expect(verifier.verify(request, new AbortController().signal)).rejects.toThrow(RangeError)
  })

  test('hands the signal on, and an abort to its caller', async () => {
    const abort = new AbortController()
    const provider: BitcoinProvider = {
      name: 'waiting',
      place: (_hash, _height, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reject(signal.reason as Error)
          })
        })
    }
    const verifier = createBitcoinVerifier({ network: 'regtest', providers: [provider], k: 1 })
    const { timestampAnchor, batchRoot } = GOOD
    const verified = verifier.verify({ timestampAnchor, batchRoot, finality: { depth: 1 } }, abort.signal)
    abort.abort(new Error('the node stops'))
    await expect(verified).rejects.toThrow('the node stops')
  })
})
