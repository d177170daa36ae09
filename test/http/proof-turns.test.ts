import { connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { PROOFS_AT_ONCE_MAX, PROOFS_WAITING_MAX } from '../../src/http/proof-turns.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { until } from '../support/until.ts'
import { problemOf, publicListener } from './support/listeners.ts'
import { NAMESPACE, memoryNode } from './support/memory-operations.ts'

const PAGE = `/v1/projections/receipts?namespace=${NAMESPACE}&include=record,proof`
const PROOF = `/v1/receipts/${'a'.repeat(64)}/proof?namespace=${NAMESPACE}&batchId=b-1`
/** One more is refused. */
const PLACES = PROOFS_AT_ONCE_MAX + PROOFS_WAITING_MAX

/** A node whose pages and proofs are under way until they are let go. */
interface HeldNode {
  readonly begun: () => number
  readonly underWayMax: () => number
  readonly connections: () => number
  /** Ends the oldest that is under way; `failure`: it fails. */
  readonly letOne: (failure?: Error) => void
  /** From now on nothing is held any more. */
  readonly letAll: () => void
  readonly url: string
  readonly ask: (path: string) => Promise<Response>
}

async function heldNode(): Promise<HeldNode> {
  const node = memoryNode()
  node.append(Buffer.from('an event'))
  await node.seal({ namespace: NAMESPACE, batchId: 'b-1', receipts: [{ invoice: 1 }] })
  const held: { readonly resolve: () => void; readonly reject: (reason: Error) => void }[] = []
  let [begun, underWay, underWayMax, holds] = [0, 0, 0, true]
  const hold = async (): Promise<void> => {
    begun += 1
    underWay += 1
    underWayMax = Math.max(underWayMax, underWay)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    if (holds) held.push({ resolve, reject })
    else resolve()
    await promise.finally(() => (underWay -= 1))
  }
  const letAll = (): void => {
    holds = false
    for (const { resolve } of held.splice(0)) resolve()
  }
  const listener = await publicListener({
    operations: {
      ...node,
      query: async (_name, query) => {
        if (query.include !== undefined) await hold()
        // The stand-in has no receipts.
        return await node.query('batches', query)
      },
      proof: async (request) => {
        await hold()
        return await node.proof(request)
      }
    }
  })
  // Before the listener closes, which waits for its requests.
  onTestFinished(letAll)
  return {
    begun: () => begun,
    connections: () => listener.connections().open,
    underWayMax: () => underWayMax,
    letOne: (failure) => {
      const oldest = held.shift()
      if (failure === undefined) oldest?.resolve()
      else oldest?.reject(failure)
    },
    letAll,
    url: listener.url,
    ask: async (path) => await fetch(listener.url + path)
  }
}

describe('answers with proofs of receipts', () => {
  it(`are put together ${PROOFS_AT_ONCE_MAX} at a time, by whatever route they are asked for; others wait`, async () => {
    const node = await heldNode()
    const asked = Array.from({ length: 3 * PROOFS_AT_ONCE_MAX }, (_, index) => node.ask(index % 2 === 0 ? PAGE : PROOF))
    await until('as many as may be are under way', () => node.begun() >= PROOFS_AT_ONCE_MAX)
    // What waits for nothing is answered meanwhile.
    expect((await node.ask(`/v1/projections/receipts?namespace=${NAMESPACE}`)).status).toBe(200)
    expect(node.begun()).toBe(PROOFS_AT_ONCE_MAX)
    node.letAll()
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(asked.map(() => 200))
    expect([node.begun(), node.underWayMax()]).toEqual([asked.length, PROOFS_AT_ONCE_MAX])
  })

  it(`are refused where ${PROOFS_WAITING_MAX} wait already, and taken again when there is a place`, async () => {
    const node = await heldNode()
    let answered = 0
    const asked = Array.from({ length: PLACES + 1 }, async (_, index) => {
      const response = await node.ask(index % 2 === 0 ? PAGE : PROOF)
      answered += 1
      return response
    })
    await until('one is refused', () => answered === 1)
    expect(node.begun()).toBe(PROOFS_AT_ONCE_MAX)
    node.letAll()
    const answers = await Promise.all(asked)
    const refused = answers.filter(({ status }) => status !== 200)
    expect(refused.map(({ status, headers }) => [status, headers.get('retry-after')])).toEqual([[503, '1']])
    for (const answer of refused) expect(await problemOf(answer)).toMatchObject({ code: 'OVERLOADED' })
    expect((await node.ask(PROOF)).status).toBe(200)
  })

  it('give their place to the next where they fail', async () => {
    const node = await heldNode()
    const asked = Array.from({ length: PROOFS_AT_ONCE_MAX + 1 }, () => node.ask(PROOF))
    await until('as many as may be are under way', () => node.begun() === PROOFS_AT_ONCE_MAX)
    node.letOne(new AnchormeshError('RECEIPT_UNKNOWN', 'no such receipt'))
    await until('the next is under way', () => node.begun() === asked.length)
    node.letAll()
    const failed = (await Promise.all(asked)).filter(({ status }) => status !== 200)
    expect(failed.map(({ status }) => status)).toEqual([404])
  })

  it('are not begun for who went away while waiting', async () => {
    const node = await heldNode()
    const asked = Array.from({ length: PROOFS_AT_ONCE_MAX }, () => node.ask(PROOF))
    await until('as many as may be are under way', () => node.begun() === PROOFS_AT_ONCE_MAX)
    // By bare connections: fetch opens new ones in the place of those that it gives up.
    const { host, hostname, port } = new URL(node.url)
    let refused = 0
    const leaving = Array.from({ length: PROOFS_WAITING_MAX + 1 }, () => {
      const socket = connect(Number(port), hostname)
      socket.write(`GET ${PAGE} HTTP/1.1\r\nhost: ${host}\r\n\r\n`)
      return socket.once('data', () => (refused += 1))
    })
    // Then all others wait.
    await until('one is refused', () => refused === 1)
    for (const socket of leaving) socket.destroy()
    await until('they are gone', () => node.connections() === PROOFS_AT_ONCE_MAX)
    node.letAll()
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(asked.map(() => 200))
    expect((await node.ask(PROOF)).status).toBe(200)
    expect(node.begun()).toBe(PROOFS_AT_ONCE_MAX + 1)
  })
})
