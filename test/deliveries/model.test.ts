import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeSignedBody } from '../../protocols/delivery/v1/signed-body.ts'
import { TOKEN_LIVES_MS } from '../../protocols/delivery/v1/request.ts'
import { toBase64url, utf8 } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import type { Signer } from '../../src/trust/signer.ts'
import type { MemoryNode } from '../node/nodes.ts'
import { openNode, reopen } from '../node/nodes.ts'
import { NAMESPACE, member } from '../support/identities.ts'

const SKEW_MS = 300_000
const HOME = member('home')
const SENDERS: readonly Signer[] = ['one', 'two', 'unregistered'].map((name) => member(name).signer)
const UNREGISTERED = 2

interface Sent {
  readonly kind: 'challenge' | 'deliver'
  readonly sender: number
  readonly body: Uint8Array
  readonly ts: number
  readonly isForUs: boolean
  readonly isForged: boolean
  readonly token: string
}

type Step =
  | { readonly do: 'challenge'; readonly sender: number; readonly offsetMs: number; readonly flaw: Flaw }
  | {
      readonly do: 'deliver'
      readonly sender: number
      readonly offsetMs: number
      readonly flaw: Flaw
      readonly token: number
    }
  | { readonly do: 'again'; readonly which: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'restart' }
type Flaw = 'none' | 'audience' | 'forged'

const offsetMs = fc.constantFrom(0, 0, 0, -SKEW_MS, SKEW_MS, -SKEW_MS - 1, SKEW_MS + 1)
const flaw = fc.constantFrom<Flaw>('none', 'none', 'none', 'none', 'audience', 'forged')
const sender = fc.constantFrom(0, 0, 1, 1, UNREGISTERED)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('challenge' as const), sender, offsetMs, flaw }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('deliver' as const), sender, offsetMs, flaw, token: fc.nat(4) })
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('again' as const), which: fc.nat(8) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(1, TOKEN_LIVES_MS - 1, TOKEN_LIVES_MS, SKEW_MS, 3 * SKEW_MS)
    })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) }
)

/** What the SPEC says comes of a request, from the history of all of them. */
class Model {
  readonly #used = new Set<Uint8Array>()
  readonly #tokens = new Map<string, { readonly sender: number; readonly atMs: number }>()

  restart(): void {
    this.#tokens.clear()
  }

  given(token: string, to: number, atMs: number): void {
    this.#tokens.set(token, { sender: to, atMs })
  }

  codeOf({ kind, sender: from, body, ts, isForUs, isForged, token }: Sent, nowMs: number): string {
    if (!isForUs) return 'WRONG_AUDIENCE'
    if (Math.abs(nowMs - ts) > SKEW_MS) return 'TIMESTAMP_SKEW'
    if (from === UNREGISTERED) return 'NODE_UNKNOWN'
    if (isForged) return 'SIGNATURE_INVALID'
    if (this.#used.has(body)) return 'replay'
    this.#used.add(body)
    if (kind === 'challenge') return 'ok'
    const given = this.#tokens.get(token)
    if (given?.sender !== from) return 'TOKEN_INVALID'
    const ageMs = nowMs - given.atMs
    if (ageMs >= 2 * TOKEN_LIVES_MS) return 'TOKEN_INVALID'
    if (ageMs >= TOKEN_LIVES_MS) return 'TOKEN_EXPIRED'
    this.#tokens.delete(token)
    return 'ok'
  }
}

async function startedNode(opened: MemoryNode): Promise<MemoryNode> {
  await opened.node.start()
  return opened
}

test('any mix of good, replayed, late, foreign and forged requests gets the codes of the SPEC, across restarts', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      let opened = await startedNode(await openNode(HOME, [HOME]))
      try {
        for (const { did, kid, publicKey } of SENDERS.slice(0, UNREGISTERED))
          await opened.node.gateway.partners.register({ did, kid, publicKey: toBase64url(publicKey) })
        const model = new Model()
        const sent: Sent[] = []
        const tokens = [toBase64url(sha256('no token'))]
        let taken = 0
        for (const [index, todo] of steps.entries()) {
          const { clock } = opened.ports
          if (todo.do === 'wait') await clock.advance(todo.ms)
          if (todo.do === 'restart') {
            opened = await startedNode(await reopen(opened))
            model.restart()
          }
          if (todo.do === 'wait' || todo.do === 'restart') continue
          const request =
            todo.do === 'again' ? sent[sent.length - 1 - todo.which] : await requestOf(todo, index, clock.now(), tokens)
          if (request === undefined) continue
          sent.push(request)
          const { federation } = opened.node.gateway
          const answer =
            request.kind === 'challenge'
              ? await federation.challenge(request.body, '127.0.0.1')
              : await federation.deliver(request.body, '127.0.0.1')
          const found = answer.ok ? 'ok' : answer.detail === 'replay' ? 'replay' : answer.code
          expect(found).toBe(model.codeOf(request, clock.now()))
          if (answer.ok && 'token' in answer.value) {
            tokens.push(answer.value.token)
            model.given(answer.value.token, request.sender, clock.now())
          } else if (answer.ok) taken += 1
        }
        const { logSeq } = (await opened.node.status()).log
        const { rows } = await opened.node.query('deliveries', { waitFor: logSeq })
        expect(rows).toHaveLength(taken)
      } finally {
        await opened.node.close()
      }
    }),
    { numRuns: 30 }
  )
})

async function requestOf(
  todo: Extract<Step, { do: 'challenge' | 'deliver' }>,
  index: number,
  nowMs: number,
  tokens: readonly string[]
): Promise<Sent> {
  const signer = SENDERS[todo.sender] as Signer
  const token = todo.do === 'deliver' ? (tokens[Math.max(0, tokens.length - 1 - todo.token)] ?? '') : ''
  const ts = nowMs + todo.offsetMs
  const value = {
    v: 1,
    audience: todo.flaw === 'audience' ? signer.did : HOME.signer.did,
    kid: signer.kid,
    nonce: toBase64url(sha256(`nonce ${index}`).subarray(0, 16)),
    signer: signer.did,
    ts,
    ...(todo.do === 'deliver' ? { namespace: NAMESPACE, payload: { index }, token } : {})
  }
  const key = todo.flaw === 'forged' ? member('thief').signer : signer
  const { body } = await encodeSignedBody(value, todo.do === 'deliver' ? 'delivery' : 'challenge', (input) =>
    key.sign(input)
  )
  return {
    kind: todo.do,
    sender: todo.sender,
    body: utf8(body),
    ts,
    isForUs: todo.flaw !== 'audience',
    isForged: todo.flaw === 'forged',
    token
  }
}
