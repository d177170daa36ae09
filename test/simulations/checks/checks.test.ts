import { describe, expect, test } from 'vitest'
import { noAcknowledgedEventLost } from '../../../simulations/checks/acknowledged.ts'
import { convergedAfterHeal } from '../../../simulations/checks/convergence.ts'
import { projectionsEqualFreshFold } from '../../../simulations/checks/fresh-folds.ts'
import { eventsDigestOn } from '../../../simulations/checks/held.ts'
import { noHonestEquivocation } from '../../../simulations/checks/honest-chains.ts'
import { logsIntact } from '../../../simulations/checks/intact-logs.ts'
import { nothingForbidden } from '../../../simulations/checks/nothing-forbidden.ts'
import { oneVerdictPerEvent } from '../../../simulations/checks/one-verdict.ts'
import { LogReader } from '../../../src/log/log-reader.ts'
import { idKey, recordKey, STORE_META_KEY } from '../../../src/log/keys.ts'
import { prefixRange } from '../../../src/log/store.ts'
import { announceBody, next } from '../../support/events.ts'
import { NAMESPACE } from '../../support/identities.ts'
import { quiet } from '../../node/nodes.ts'
import type { Check, SimulatedNode } from '../../../simulations/model/simulation.ts'
import type { ScenarioFile, Selection } from '../../../simulations/scenario/schema.ts'
import type { FakeNode, FakeSimulation } from './fakes.ts'
import { fakeSimulation, MEMBERS } from './fakes.ts'

const [ANNA] = MEMBERS as [(typeof MEMBERS)[number]]

/** Anna's first event, held by the first so many nodes. */
async function withEvent(count: number): Promise<{ fake: FakeSimulation; id: string; nodes: readonly FakeNode[] }> {
  const fake = await fakeSimulation()
  const event = await next(ANNA, null, announceBody('first'))
  for (const { opened } of fake.nodes.slice(0, count)) await opened.node.submit(event.wire)
  await quiet(...fake.nodes.map(({ opened }) => opened))
  return { fake, id: event.id, nodes: fake.nodes }
}

type ScriptedFault = NonNullable<ScenarioFile['faults']>[number]

const at = (nodes: readonly FakeNode[], index: number): FakeNode => {
  const node = nodes[index]
  if (node === undefined) throw new Error(`there is no node ${index}`)
  return node
}

async function forget({ store }: FakeNode, ...keys: readonly string[]): Promise<void> {
  await store.write(
    keys.map((key) => ({ type: 'del', key })),
    { sync: true }
  )
}

describe('no acknowledged event is lost', () => {
  test('what is on the disk of who acknowledged it is fine; in the end all must hold it', async () => {
    const { fake, id, nodes } = await withEvent(1)
    const check = noAcknowledgedEventLost()
    fake.simulation.ledger.acknowledged(at(nodes, 0).seen, id, NAMESPACE)
    expect(await fake.look(check, 'onSample')).toEqual([])
    expect(await fake.look(check, 'onEnd')).toEqual([
      `n1: event ${id} was acknowledged, and has not come here`,
      `n2: event ${id} was acknowledged, and has not come here`
    ])
  })

  test('a node that is another after a crash is looked at again, also while it is off', async () => {
    const { fake, id, nodes } = await withEvent(1)
    const check = noAcknowledgedEventLost()
    const anna = at(nodes, 0)
    fake.simulation.ledger.acknowledged(anna.seen, id, NAMESPACE)
    expect(await fake.look(check, 'onSample')).toEqual([])
    await forget(anna, idKey(id))
    anna.seen.node = null
    anna.seen.state = 'off'
    const lost = [`n0: event ${id} was acknowledged, and is not on the disk of who did`]
    expect(await fake.look(check, 'onSample')).toEqual(lost)
    expect(await fake.look(check, 'onSample')).toEqual([])
  })

  test.each(['before', 'after'])(
    'with a disk that was lost nothing is owed that nobody else holds, though it was acknowledged just %s a sample',
    async (when) => {
      const { fake, id, nodes } = await withEvent(1)
      const check = noAcknowledgedEventLost()
      if (when === 'after') await fake.look(check, 'onSample')
      fake.simulation.ledger.acknowledged(at(nodes, 0).seen, id, NAMESPACE)
      if (when === 'before') await fake.look(check, 'onSample')
      await forget(at(nodes, 0), idKey(id), STORE_META_KEY)
      expect(await fake.look(check, 'onSample')).toEqual([])
      expect(await fake.look(check, 'onEnd')).toEqual([])
    }
  )
})

test('a record that is missing is found in the log', async () => {
  const { fake, nodes } = await withEvent(3)
  const check = logsIntact()
  expect(await fake.look(check, 'onFold')).toEqual([])
  await forget(at(nodes, 1), recordKey(1))
  const [found = ''] = await fake.look(check, 'onFold')
  expect(found).toMatch(/^n1: \d+ problems; record 2/)
})

test('a log needs its store.json as soon as it has a record', async () => {
  const { fake, nodes } = await withEvent(1)
  const check = logsIntact()
  const missing = { read: () => Promise.resolve(null) }
  for (const { seen } of nodes) seen.disk = { ...seen.disk, checkpoint: missing }
  const problem = '1 problems; store.json is missing: the length of the log can not be checked from outside'
  expect(await fake.look(check, 'onFold')).toEqual(['n0', 'n1', 'n2'].map((name) => `${name}: ${problem}`))
  const { store, seen } = at(nodes, 0)
  seen.node = null
  for await (const [key] of store.range({})) if (key !== STORE_META_KEY) await forget(at(nodes, 0), key)
  expect(await fake.look(check, 'onFold')).toEqual(['n1', 'n2'].map((name) => `${name}: ${problem}`))
})

describe('the end of the log, from sample to sample', () => {
  async function another({ opened }: FakeNode): Promise<void> {
    const first = await next(ANNA, null, announceBody('first'))
    await opened.node.submit((await next(ANNA, first, announceBody('second'))).wire)
    await quiet(opened)
  }

  test('follows what stood there', async () => {
    const { fake, nodes } = await withEvent(1)
    const check = logsIntact()
    expect(await fake.look(check, 'onSample')).toEqual([])
    await another(at(nodes, 0))
    expect(await fake.look(check, 'onSample')).toEqual([])
  })

  test('is found where it follows something else, and told of once', async () => {
    const { fake, nodes } = await withEvent(1)
    const check = logsIntact()
    await fake.look(check, 'onSample')
    const before = await headOf(at(nodes, 0))
    await another(at(nodes, 0))
    await damage(at(nodes, 0), before + 1)
    const detail = `n0: record ${before + 1}: its hash does not follow from the record before it and its content`
    expect(await fake.look(check, 'onSample')).toEqual([detail])
    expect(await fake.look(check, 'onSample')).toEqual([])
  })

  test('must still be there, and be the same, as long as the process is', async () => {
    const { fake, nodes } = await withEvent(3)
    const check = logsIntact()
    await fake.look(check, 'onSample')
    const [gone, other, restarted] = [at(nodes, 0), at(nodes, 1), at(nodes, 2)]
    const head = await headOf(gone)
    await forget(gone, recordKey(head))
    await damage(other, head)
    await forget(restarted, recordKey(head))
    restarted.seen.node = null
    expect(await fake.look(check, 'onSample')).toEqual([
      `n0: record ${head}: it is gone`,
      `n1: record ${head}: it is not the one that stood there`
    ])
  })

  test('is none of a disk that was lost while the node was off already', async () => {
    const { fake, nodes } = await withEvent(1)
    const check = logsIntact()
    const off = at(nodes, 0)
    off.seen.node = null
    expect(await fake.look(check, 'onSample')).toEqual([])
    const keys: string[] = []
    for await (const [key] of off.store.range({})) keys.push(key)
    await forget(off, ...keys)
    expect(await fake.look(check, 'onSample')).toEqual([])
  })

  async function headOf({ store }: FakeNode): Promise<number> {
    return (await new LogReader(store).readHead()).logSeq
  }

  async function damage({ store }: FakeNode, logSeq: number): Promise<void> {
    const bytes = await store.get(recordKey(logSeq))
    if (bytes === undefined) throw new Error(`there is no record ${logSeq}`)
    const value = Uint8Array.from(bytes, (byte, place) => (place === 0 ? byte ^ 1 : byte))
    await store.write([{ type: 'put', key: recordKey(logSeq), value }], { sync: true })
  }
})

test('of long logs a fold compares some, and the end the others', async () => {
  const { fake, nodes } = await withEvent(3)
  for (const node of nodes)
    for await (const [key] of node.store.range(prefixRange('v!batches!g'))) {
      await forget(node, key)
      break
    }
  const found = async (check: Check, when: 'onFold' | 'onEnd'): Promise<readonly string[]> =>
    (await fake.look(check, when)).map((line) => line.slice(0, 2))
  const check = projectionsEqualFreshFold(1)
  expect(await found(check, 'onFold')).toEqual(['n0'])
  expect(await found(check, 'onFold')).toEqual(['n1'])
  expect(await found(check, 'onEnd')).toEqual(['n0', 'n2'])
})

test('a row that is missing, or another, is found by folding afresh', async () => {
  const { fake, nodes } = await withEvent(3)
  expect(await fake.look(projectionsEqualFreshFold(), 'onFold')).toEqual([])
  const { store } = at(nodes, 2)
  for await (const [key] of store.range(prefixRange('v!batches!g'))) {
    await forget(at(nodes, 2), key)
    break
  }
  const [found = ''] = await fake.look(projectionsEqualFreshFold(), 'onFold')
  expect(found).toMatch(/^n2: batches at \d+: .* is missing$/)
})

describe('one verdict per event', () => {
  test('an event that one takes and another rejects is found, whichever comes first', async () => {
    const { fake, id, nodes } = await withEvent(1)
    at(nodes, 2).seen.isHonest = false
    at(nodes, 1).seen.rejected = [{ id, code: 'CHAIN_BROKEN' }]
    const found = [`n1: event ${id} was rejected (CHAIN_BROKEN), and n0 holds it`]
    expect(await fake.look(oneVerdictPerEvent(), 'onSample')).toEqual(found)
    expect(await fake.look(oneVerdictPerEvent(), 'onEnd')).toEqual(found)
  })

  test('an event that was rejected is found at the moment at which another takes it', async () => {
    const { fake, id, nodes } = await withEvent(1)
    const check = oneVerdictPerEvent()
    const [taker, rejecter, third] = [at(nodes, 0), at(nodes, 1), at(nodes, 2)]
    third.seen.isHonest = false
    check.onAccept?.(fake.simulation, taker.seen, id)
    rejecter.seen.rejected = [
      { id: 'another', code: 'CHAIN_BROKEN' },
      { id, code: 'CHAIN_BROKEN' }
    ]
    check.onAccept?.(fake.simulation, third.seen, id)
    expect(fake.failures).toEqual([])
    check.onAccept?.(fake.simulation, taker.seen, id)
    check.onAccept?.(fake.simulation, taker.seen, id)
    const detail = `event ${id} was rejected (CHAIN_BROKEN), and n0 holds it`
    expect(fake.failures).toEqual([{ check: check.name, node: 'n1', detail }])
  })

  test('a copy under a bad signature says nothing of the event, where somebody is not honest', async () => {
    const { fake, id, nodes } = await withEvent(1)
    at(nodes, 1).seen.rejected = [{ id, code: 'SIGNATURE_INVALID' }]
    expect(await fake.look(oneVerdictPerEvent(), 'onSample')).toHaveLength(1)
    at(nodes, 2).seen.isHonest = false
    expect(await fake.look(oneVerdictPerEvent(), 'onSample')).toEqual([])
  })
})

describe('nothing that is forbidden', () => {
  test('is held, but by those who are not honest', async () => {
    const { fake, id, nodes } = await withEvent(1)
    fake.simulation.ledger.forbidden(id, 'it is forged')
    expect(await fake.look(nothingForbidden(), 'onSample')).toEqual([`n0: event ${id} is held: it is forged`])
    at(nodes, 0).seen.isHonest = false
    expect(await fake.look(nothingForbidden(), 'onEnd')).toEqual([])
  })

  test('is found at the moment at which it is taken', async () => {
    const { fake, nodes } = await withEvent(0)
    const check = nothingForbidden()
    fake.simulation.ledger.forbidden('forged', 'it is forged')
    fake.simulation.ledger.forbidden('stolen', 'its key was stolen', 'effect')
    at(nodes, 2).seen.isHonest = false
    for (const { seen } of nodes) for (const id of ['forged', 'stolen']) check.onAccept?.(fake.simulation, seen, id)
    check.onAccept?.(fake.simulation, at(nodes, 0).seen, 'forged')
    expect(fake.failures.map(({ node, detail }) => [node, detail])).toEqual([
      ['n0', 'event forged is held: it is forged'],
      ['n1', 'event forged is held: it is forged']
    ])
  })

  test('has effect in the end', async () => {
    const { fake, id } = await withEvent(1)
    fake.simulation.ledger.forbidden(id, 'its key was stolen', 'effect')
    const check = nothingForbidden()
    expect(await fake.look(check, 'onSample')).toEqual([])
    expect(await fake.look(check, 'onEnd')).toEqual([`n0: event ${id} is held with effect: its key was stolen`])
  })

  test('an event without effect may be held', async () => {
    const fake = await fakeSimulation()
    const event = await next(ANNA, null, { batchId: '' })
    for (const { opened } of fake.nodes) await opened.node.submit(event.wire)
    await quiet(...fake.nodes.map(({ opened }) => opened))
    fake.simulation.ledger.forbidden(event.id, 'it says nothing', 'effect')
    expect(await fake.look(nothingForbidden(), 'onEnd')).toEqual([])
  })
})

describe('convergence', () => {
  test('is recorded once, after the heal alone, when all hold the same', async () => {
    const { fake } = await withEvent(3)
    const check = convergedAfterHeal()
    fake.nowUs = 9_000_000
    await fake.look(check, 'onSample')
    expect(fake.traced).toEqual([])
    fake.nowUs = 11_000_000
    await fake.look(check, 'onSample')
    await fake.look(check, 'onSample')
    expect(await fake.look(check, 'onEnd')).toEqual([])
    expect(fake.traced).toEqual(['converged'])
  })

  test('fails where sets differ, whoever has more', async () => {
    const { fake } = await withEvent(2)
    expect(await fake.look(convergedAfterHeal(), 'onEnd')).toEqual([`all: ${NAMESPACE}: n0 has 1, n2 0 events`])
  })

  test('needs every honest node that the scenario does not keep off', async () => {
    const { fake, nodes } = await withEvent(3)
    at(nodes, 1).seen.state = 'paused'
    at(nodes, 2).seen.state = 'starting'
    expect(await fake.look(convergedAfterHeal(), 'onEnd')).toEqual(['all: n1 is paused, n2 is starting'])
    at(nodes, 1).seen.isHonest = false
    at(nodes, 2).seen.state = 'running'
    expect(await fake.look(convergedAfterHeal(), 'onEnd')).toEqual([])
  })

  test('does not wait for who ended for good, or never joins; with nobody left there is none', async () => {
    const gone = (nodes: Selection): ScriptedFault => ({ kind: 'crash', nodes, at: '1s' })
    const left: ScriptedFault = { kind: 'stop', nodes: { nodes: [0, 1] }, at: '1s', for: '1s' }
    const some = await fakeSimulation({ late: { nodes: [1] }, faults: [gone({ nodes: [2] }), left] })
    for (const { seen } of some.nodes.slice(1)) seen.state = 'off'
    expect(await some.look(convergedAfterHeal(), 'onEnd')).toEqual([])
    const none = await fakeSimulation({ faults: [gone('all')] })
    for (const { seen } of none.nodes) seen.state = 'off'
    expect(await none.look(convergedAfterHeal(), 'onEnd')).toEqual(['all: no honest node is there in the end'])
    expect(none.traced).toEqual([])
  })

  /** As if the nodes had come to different verdicts. */
  async function disagreeing(fake: FakeSimulation): Promise<void> {
    for (const { seen, opened } of fake.nodes) {
      const digest = await opened.node.digest(NAMESPACE)
      const winners = { ...digest.winners, verdictSetDigest: `of ${seen.name}`, digest: `won on ${seen.name}` }
      const answer = { ...digest, winners }
      seen.ask = (async () => await Promise.resolve(answer)) as unknown as SimulatedNode['ask']
    }
  }

  test('fails where verdicts differ, though winners can not be compared then', async () => {
    const { fake } = await withEvent(3)
    await disagreeing(fake)
    expect(await fake.look(convergedAfterHeal(), 'onEnd')).toEqual([
      'all: _trust: verdicts digest of n0 is of n0, of n1 of n1'
    ])
  })

  test('but where a chain was rewritten as deep as it is final: who looked before does not look again', async () => {
    const chains = [{ chainId: 'btc:sim', finalityDepth: 2 }]
    const rewritten = async (depth: number): Promise<readonly string[]> => {
      const fake = await fakeSimulation({ chains, faults: [{ kind: 'reorganise', chain: 'btc:sim', depth, at: '1s' }] })
      await disagreeing(fake)
      return await fake.look(convergedAfterHeal(), 'onEnd')
    }
    expect(await rewritten(2)).toEqual([])
    expect(await rewritten(1)).toHaveLength(1)
  })

  test('the digest of events is the one that the node tells', async () => {
    const { nodes } = await withEvent(1)
    const { events } = await at(nodes, 0).opened.node.digest(NAMESPACE)
    expect(await eventsDigestOn(at(nodes, 0).seen, NAMESPACE)).toBe(events)
    expect(await eventsDigestOn(at(nodes, 1).seen, NAMESPACE)).not.toBe(events)
  })
})

test('an honest node that signs two events at one position is found', async () => {
  const { fake, nodes } = await withEvent(3)
  const check = noHonestEquivocation()
  expect(await fake.look(check, 'onEnd')).toEqual([])
  const other = await next(ANNA, null, announceBody('other'))
  await at(nodes, 1).opened.node.submit(other.wire)
  await quiet(at(nodes, 1).opened)
  const found = [`n0: it has signed two events at position 1 of ${NAMESPACE}`]
  expect(await fake.look(check, 'onEnd')).toEqual(found)
  at(nodes, 0).seen.isHonest = false
  expect(await fake.look(check, 'onEnd')).toEqual([])
})

test('what thieves have signed with the key of an honest node is not its own', async () => {
  const { fake, nodes } = await withEvent(1)
  const stolen = await next(ANNA, null, announceBody('stolen'))
  fake.simulation.ledger.forbidden(stolen.id, 'its key was taken back before', 'effect')
  await at(nodes, 0).opened.node.submit(stolen.wire)
  await quiet(at(nodes, 0).opened)
  expect(await fake.look(noHonestEquivocation(), 'onEnd')).toEqual([])
})
