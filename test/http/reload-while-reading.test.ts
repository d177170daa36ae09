import { expect, test } from 'vitest'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import type { Land } from '../access/world.ts'
import { ADA, BEN, CLEO, DAN, LANDS, SELF, bearer, listen, openWorld, policyWith, tokenFor } from '../access/world.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import type { TestMember } from '../support/identities.ts'
import { until } from '../support/until.ts'
import { makeIdentity } from './support/certificates.ts'
import type { Role, Stage } from './support/restless-readers.ts'
import { RestlessReader } from './support/restless-readers.ts'
import { trusting } from './support/tls-client.ts'

const [server, cleo, dan] = [makeIdentity('server'), makeIdentity('cleo'), makeIdentity('dan')]
// A reader from elsewhere, who without a credential may read nothing.
const ELSEWHERE = { 'x-forwarded-for': '203.0.113.9' }
const HANG_MS = 50_000

const AUTHORS: Readonly<Record<string, TestMember>> = { 'a:one': ADA, 'a:two': BEN, 'b:one': DAN, 'b:two': DAN }
const without = (lands: typeof LANDS, name: string): typeof LANDS =>
  Object.fromEntries(Object.entries(lands).filter(([one]) => one !== name))
const NO_TWO = without(LANDS, 'a:two')
const NO_CLEO: Readonly<Record<string, Land>> = { ...NO_TWO, 'b:one': { tenant: 'beta', members: [DAN] } }
/** The namespaces that are carried in each phase: a namespace goes, a membership ends, a token, a pin; then it is back. */
const CARRIED = [LANDS, NO_TWO, NO_CLEO, NO_CLEO, NO_CLEO, { ...NO_CLEO, 'a:two': { tenant: 'alpha', members: [BEN] } }]

test('while rules change, readers over sockets see from then on what they may, and each end has its name', async () => {
  const { node } = await openWorld()
  const reload = async (phase: number): Promise<void> => {
    const policy: EffectivePolicy = policyWith(CARRIED[phase])
    const pins = [[cleo.pin, CLEO.signer.did] as const, [dan.pin, DAN.signer.did] as const]
    const certificatePins = new Map(phase < 4 ? pins : pins.slice(0, 1))
    await node.reload({ config: { policy, signer: SELF.signer, version: 'test', certificatePins } })
  }
  await reload(0)
  const { url } = await listen(node, {
    subscriptions: node.gateway.subscriptions,
    tls: { identity: server, mtls: 'off', didOfPin: node.gateway.didOfPin }
  })
  const token = async (namespaces: readonly string[], tenant?: string): Promise<Pick<Role, 'tls' | 'headers'>> => ({
    tls: trusting(server),
    headers: { ...ELSEWHERE, ...bearer(await tokenFor(node, namespaces, tenant === undefined ? {} : { tenant })) }
  })
  const certificate = (identity: typeof cleo): Pick<Role, 'tls' | 'headers'> => ({
    tls: trusting(server, identity),
    headers: ELSEWHERE
  })
  const isCarried = (phase: number, namespace: string): boolean => Object.hasOwn(CARRIED[phase] ?? {}, namespace)
  const roles: Readonly<Record<'two' | 'alpha' | 'beta' | 'cleo' | 'dan', Role>> = {
    two: {
      name: 'the token of a:two',
      ...(await token(['a:two'])),
      sees: (phase, namespace) => namespace === 'a:two' && isCarried(phase, namespace)
    },
    alpha: {
      name: 'the token of alpha',
      ...(await token([], 'alpha')),
      sees: (phase, namespace) => namespace.startsWith('a:') && isCarried(phase, namespace)
    },
    beta: {
      name: 'the token of beta',
      ...(await token(['b:one', 'b:two'])),
      sees: (phase, namespace) => phase < 3 && namespace.startsWith('b:')
    },
    cleo: {
      name: 'Cleo',
      ...certificate(cleo),
      sees: (phase, namespace) => (namespace === 'a:two' && phase < 1) || (namespace === 'b:one' && phase < 2)
    },
    dan: { name: 'Dan', ...certificate(dan), sees: (phase, namespace) => phase < 4 && namespace.startsWith('b:') }
  }
  const tips = new Map<string, SignedEvent>()
  const announceAll = async (phase: number): Promise<void> => {
    for (const namespace of Object.keys(CARRIED[phase] ?? {})) {
      const author = AUTHORS[namespace]
      if (author === undefined) throw new Error(`nobody announces in ${namespace}`)
      const event = await next(author, tips.get(namespace) ?? null, announceBody(`${namespace}-p${phase}`), {
        namespace
      })
      expect(await node.submit(event.wire)).toMatchObject({ outcome: 'accepted' })
      tips.set(namespace, event)
    }
  }

  const stage: Stage = { url, phase: { begun: 0, inForce: 0, isOver: false } }
  await announceAll(0)
  const readers = Object.fromEntries(
    Object.entries(roles).map(([name, role]) => [name, new RestlessReader(stage, role)])
  ) as Readonly<Record<keyof typeof roles, RestlessReader>>
  const betaToken = (await node.tokens()).find(({ namespaces }) => namespaces.includes('b:one'))
  /** Each reader comes to all that it may see of this phase, by queries and over both forms. */
  const allCome = async (phase: number): Promise<void> => {
    for (const [name, reader] of Object.entries(readers)) {
      const { sees } = roles[name as keyof typeof roles]
      const due = Object.keys(CARRIED[phase] ?? {}).filter((namespace) => sees(phase, namespace))
      for (const seen of [reader.queried, ...reader.followed.values()])
        await until(
          `${name} has ${due.join()} of phase ${phase}`,
          () => due.every((namespace) => seen.has(`${namespace}-p${phase}`)),
          HANG_MS
        )
      await until(
        `${name} is answered in phase ${phase}`,
        () => (reader.answers.get(phase) ?? 0) > 1 || reader.codes(phase, 'query').length > 0,
        HANG_MS
      )
    }
  }
  await allCome(0)
  for (let phase = 1; phase < CARRIED.length; phase += 1) {
    stage.phase.begun = phase
    if (phase === 3) await node.revokeToken(betaToken?.id ?? '')
    else await reload(phase)
    stage.phase.inForce = phase
    await announceAll(phase)
    await allCome(phase)
  }
  stage.phase.isOver = true
  for (const reader of Object.values(readers)) {
    await reader.done
    expect(reader.failures).toEqual([])
  }

  const { two, alpha, beta, cleo: byCleo, dan: byDan } = readers
  const ends = ({ refusals }: RestlessReader): unknown[] => [
    ...new Set(refusals.filter(({ how }) => how === 'end').map(({ phase, code }) => `${phase} ${code}`))
  ]
  expect(ends(two)).toEqual(['1 ACCESS_DENIED', '5 ACCESS_DENIED'])
  expect(ends(alpha)).toEqual(['1 ACCESS_DENIED', '5 ACCESS_DENIED'])
  // Who sees `b:one` knew of Cleo's organisation by her membership.
  expect(ends(beta)).toEqual(['2 ACCESS_DENIED', '3 TOKEN_INVALID'])
  expect(ends(byCleo)).toEqual(['1 ACCESS_DENIED', '2 ACCESS_DENIED'])
  expect(ends(byDan)).toEqual(['2 ACCESS_DENIED', '4 CERTIFICATE_NOT_PINNED'])
  expect(beta.codes(3, 'query')).toEqual(['TOKEN_INVALID'])
  expect(byDan.codes(4, 'query')).toEqual(['TOKEN_REQUIRED'])
  for (const reader of [beta, byDan]) expect(reader.refusals.filter(({ how }) => how === 'opening')).not.toEqual([])
  for (const reader of [two, alpha, byCleo]) expect(reader.refusals.filter(({ how }) => how !== 'end')).toEqual([])
}, 240_000)
