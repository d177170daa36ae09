import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import type { Envelope } from '../../protocols/event/v1/envelope.ts'
import type { AuditRecord } from '../../src/audit/operations.ts'
import type { SealedBatch } from '../../src/authoring/seal.ts'
import { readKeystore, signerFrom } from '../../src/cli/data-folder/keystore.ts'
import { dataPaths } from '../../src/cli/data-folder/paths.ts'
import type { AdminClient } from '../../src/http/admin-client.ts'
import type { LoggedEvent, ProjectionQuery } from '../../src/operations.ts'
import { checkTrustProof, listTrustAnchors } from '../../src/packs/trust-anchors.ts'
import type { ListedAnchor } from '../../src/packs/trust-anchors.ts'
import type { ListedSigner, PackView, PinnedPack, RotatedKey, TrustProof } from '../../src/packs/pack-operations.ts'
import type { AuditAction } from '../../src/platform/audit.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { systemRandom } from '../../src/platform/random.ts'
import type { WinnerRow } from '../../src/projections/winners.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import { newFolder, run, runFailing, runJson, runJsonLines, runWell } from '../support/cli.ts'
import { collect } from '../support/collect.ts'
import { GUILD, edit, end, fiveNodes, start } from '../support/five-nodes.ts'
import type { Machine, Machines } from '../support/five-nodes.ts'
import { adminOf } from '../support/mesh-folders.ts'
import { NAMESPACE } from '../support/nodes.ts'
import { makePack, packEvent, packKey } from '../support/packs.ts'
import { untilAnswer } from '../support/until-answer.ts'

/** Some sixty commands and seven starts of nodes, each a process: a minute where nothing else runs. */
const DRILL_MS = 400_000

interface Published {
  readonly id: string
  readonly packSeq: number
  readonly packHash: string
}

/** A batch, and the event that announced it with a timestamp of its root. */
interface Announced {
  readonly batchId: string
  readonly batchRoot: string
  readonly id: string
  readonly kid: unknown
}

/** Why something does not count, or `null`, by what it is. */
type Effects = Readonly<Record<string, string | null>>

const on = ({ folder }: Machine): readonly string[] => ['--data', folder]
const adminAt = ({ folder }: Machine): AdminClient => adminOf(folder)
const fileFor = (name: string): string => join(newFolder(), name)

/** By the running node. */
async function announce(machine: Machine, batchId: string): Promise<Announced> {
  const admin = adminAt(machine)
  const { batchRoot } = await admin.seal({ namespace: NAMESPACE, batchId, receipts: [{ of: batchId }] })
  await admin.anchor({ namespace: NAMESPACE, batchId, rail: 'tsa' })
  // Where the authority is slow the node goes on by itself.
  return await untilAnswer(`${batchId} is announced`, async () =>
    announced(await collect(admin.events({ namespace: NAMESPACE, type: 'announce' })), batchId, batchRoot)
  )
}

/** By commands, where no node runs. */
async function announceAlone(machine: Machine, batchId: string): Promise<Announced> {
  const batch = ['--namespace', NAMESPACE, '--batch', batchId, ...on(machine)]
  const sealed = await runWell(['seal', ...batch, '--json', '-'], { input: `{"of":"${batchId}"}` })
  await runWell(['anchor', ...batch, '--rail', 'tsa'])
  const events = await runJsonLines<LoggedEvent>(['events', '--type', 'announce', ...on(machine)])
  const found = announced(events, batchId, (JSON.parse(sealed) as SealedBatch).batchRoot)
  if (found === null) throw new Error(`${batchId} was not announced`)
  return found
}

/** `null` where the root is not announced. */
function announced(events: readonly LoggedEvent[], batchId: string, batchRoot: string): Announced | null {
  const last = events.findLast(({ event }) => (event['body'] as JsonObject)['batchRoot'] === batchRoot)
  return last === undefined || last.id === null ? null : { batchId, batchRoot, id: last.id, kid: last.event['kid'] }
}

/** Makes the next pack as a draft that a second machine signs. Answers the file. */
async function cosigned(machine: Machine, second: Machine, kid: string, ...options: readonly string[]) {
  const draft = fileFor('draft.json')
  await runWell(['pack', 'publish', '--with', kid, '--out', draft, ...options, ...on(machine)])
  await runWell(['pack', 'sign', draft, ...on(second)])
  return draft
}

async function publishWith(machine: Machine, second: Machine, kid: string, ...options: readonly string[]) {
  const draft = await cosigned(machine, second, kid, ...options)
  return await runJson<Published>(['pack', 'publish', draft, ...on(machine)])
}

async function untilEach(machines: readonly Machine[], what: string, ask: (machine: Machine) => Promise<boolean>) {
  await Promise.all(machines.map((machine) => untilAnswer(`${what} at ${machine.name}`, () => ask(machine))))
}

async function untilHeld(machines: readonly Machine[], ...ids: readonly string[]): Promise<void> {
  for (const id of ids)
    await untilEach(machines, `the event ${id}`, async (machine) => (await adminAt(machine).event(id)) !== null)
}

/** Until the organisation's last pack that counts is this one. */
async function untilPack(machines: readonly Machine[], { packHash }: Published): Promise<void> {
  await untilEach(machines, `the pack ${packHash}`, async (machine) => {
    return (await packsAt(machine)).some(({ state, hash }) => state === 'valid' && hash === packHash)
  })
}

/** Before its first pack an organisation has none to show. */
async function packsAt(machine: Machine, packSeq?: number): Promise<readonly PackView[]> {
  return await adminAt(machine)
    .packs({ orgId: GUILD, packSeq })
    .catch((error: unknown) => {
      if (error instanceof AnchormeshError && error.code === 'PACK_UNKNOWN') return []
      throw error
    })
}

/** The rows of a projection with all that the machine has logged. */
async function rowsAt(
  machine: Machine,
  projection: string,
  filter: ProjectionQuery = {}
): Promise<readonly JsonObject[]> {
  const admin = adminAt(machine)
  const { logSeq: waitFor } = (await admin.status()).log
  return (await admin.query(projection, { ...filter, waitFor })).rows
}

/** The roots that win at a node by a timestamp that it verified. */
async function winnersAt(machine: Machine): Promise<Readonly<Record<string, string | null>>> {
  const rows = await rowsAt(machine, 'winners', { namespace: NAMESPACE })
  const won = (rows as unknown as readonly WinnerRow[]).filter(({ winner }) => winner !== null)
  return Object.fromEntries(won.map(({ batchId, batchRoot }) => [batchId, batchRoot]))
}

/** Why what was announced for each batch does not count, or `null`. */
async function batchesAt(machine: Machine): Promise<Effects> {
  const rows = await rowsAt(machine, 'batches', { namespace: NAMESPACE })
  return Object.fromEntries(rows.map(({ batchId, effect }) => [batchId, effect])) as Effects
}

async function effectsAt(machine: Machine): Promise<Effects> {
  const rows = await rowsAt(machine, 'effects')
  return Object.fromEntries(rows.map(({ eventId, effect }) => [eventId, effect])) as Effects
}

/** Until the nodes show alike all that nodes with the same events must, those of keys and packs among it. */
async function untilAlike(machines: readonly Machine[]): Promise<void> {
  await untilAnswer('all show the same', async () => {
    const all = await Promise.all(
      machines.map(async (machine) => {
        const digests = await Promise.all(['_trust', NAMESPACE].map((namespace) => adminAt(machine).digest(namespace)))
        return JSON.stringify(digests.map((digest) => ({ ...digest, logSeq: 0 })))
      })
    )
    return new Set(all).size === 1
  })
}

async function keyring(machine: Machine): Promise<readonly ListedAnchor[]> {
  return await runJsonLines<ListedAnchor>(['trust', 'list', '--org', GUILD, ...on(machine)])
}

/** A pack by the stolen key alone, after the pack `before`: it gives the thief a key that needs nobody else. */
async function stolenPack(thief: Machine, keys: readonly ListedAnchor[], before: Published, tip: LoggedEvent) {
  const stolen = signerFrom(await readKeystore(dataPaths(thief.folder).keystore), `did:key:${thief.kid}`)
  const known = keys.map(({ orgId: _org, packSeq: _seq, updatedAt: _at, ...key }): PackKey => key)
  const own = packKey(localSigner(systemRandom.bytes(32)))
  const changes = { packSeq: before.packSeq + 1, prevPack: before.packHash, threshold: 1 }
  const pack = makePack({ orgId: GUILD, keys: [...known, own], signers: [stolen], changes })
  const envelope = tip.event as unknown as Envelope
  return await packEvent(stolen, [stolen], pack, { id: tip.id ?? '', envelope, wire: new Uint8Array() })
}

/**
 * Somebody has a copy of cat's machine, gets what is public from dan, and hands dan what they sign with cat's key: a
 * batch, a first pack of the organisation, and one after the pack `before`, both by that key alone. She who is away gets
 * the first two before any pack.
 */
async function steal({ cat, dan, eve, thief }: Machines, before: Published) {
  const [known, theft] = [fileFor('known'), fileFor('theft')]
  await runWell(['log', 'export', known, '--namespace', NAMESPACE, ...on(dan)])
  // What new keys signed waits for packs, which the thief leaves out.
  expect(await run(['log', 'import', known, ...on(thief)])).toMatchObject({ code: 3 })
  const loot = await announceAlone(thief, 'loot')
  expect(loot.kid).toBe(cat.kid)
  edit(thief, 'peers', ['organisations'], [])
  await runWell(['pack', 'publish', ...on(thief)])
  const [alone] = await runJsonLines<LoggedEvent>(['events', '--type', 'anchor-pack', ...on(thief)])
  if (alone === undefined || alone.id === null) throw new Error('the thief has made no pack')
  await runWell(['log', 'export', theft, ...on(thief)])
  await Promise.all([dan, eve].map((machine) => runWell(['log', 'import', theft, ...on(machine)])))
  const forward = await stolenPack(thief, await keyring(dan), before, alone)
  expect(await adminAt(dan).submit(forward.wire)).toMatchObject({ outcome: 'accepted' })
  return { loot, packs: { [alone.id]: 'PACK_THRESHOLD', [forward.id]: 'PACK_THRESHOLD' } }
}

/** Two machines publish different packs at one number while they don't see each other; both have two signatures. */
async function fork({ amy, bob, cat }: Machines, bobsKid: string, catsKid: string) {
  const draft = await cosigned(amy, bob, bobsKid, '--valid-days', '30')
  await end(bob, 'SIGTERM')
  const pinned = await publishWith(amy, cat, catsKid, '--valid-days', '60', '--discard-draft')
  const other = await runJson<Published>(['pack', 'publish', draft, ...on(bob)])
  expect([pinned.packSeq, other.packSeq]).toEqual([5, 5])
  expect(other.packHash).not.toBe(pinned.packHash)
  await start(bob)
  return { pinned, effects: { [pinned.id]: 'PACK_FORK', [other.id]: 'PACK_FORK' } }
}

async function expectAudited(machine: Machine, ...actions: readonly AuditAction[]): Promise<void> {
  const records = await runJsonLines<AuditRecord>(['audit', '--outcome', 'ok', ...on(machine)])
  expect(records.map(({ action }) => action)).toEqual(expect.arrayContaining([...actions]))
  expect(await adminAt(machine).verifyAudit()).toMatchObject({ ok: true })
}

test(
  'five nodes agree on the keys of an organisation that rotates, retires and revokes, whoever is away, steals or forks',
  async () => {
    const machines = await fiveNodes()
    const { amy, bob, cat, dan, eve, thief } = machines
    const all = [amy, bob, cat, dan, eve]
    const here = [amy, bob, cat, dan]
    const [amys, cats] = [await announce(amy, 'amy-1'), await announce(cat, 'cat-1')]
    await untilHeld(all, amys.id, cats.id)
    await end(eve, 'SIGKILL')

    for (const { kid, publicKey } of [bob, cat])
      await runWell(['keys', 'add', kid, '--public-key', publicKey, ...on(amy)])
    await runWell(['keys', 'threshold', '2', ...on(amy)])
    const refused = await runFailing(['pack', 'publish', ...on(cat)])
    expect(refused.error.detail).toMatchObject({ code: 'PACK_THRESHOLD' })
    await untilPack(here, await publishWith(amy, bob, bob.kid))
    const lastGood = await announce(cat, 'cat-2')

    const { added: amysNew } = await runJson<RotatedKey>(['keys', 'rotate', '--reason', 'yearly', ...on(amy)])
    await untilPack(here, await publishWith(amy, bob, bob.kid, '--delta'))
    const amysNext = await announce(amy, 'amy-2')
    expect(amysNext.kid).toBe(amysNew.kid)

    const bobsNew = await runJson<ListedSigner>(['keys', 'add', ...on(bob)])
    await runWell(['keys', 'retire', bob.kid, '--reason', 'moved', ...on(bob)])
    const third = await publishWith(bob, amy, amysNew.kid)
    await untilPack(here, third)
    const bobs = await announce(bob, 'bob-1')
    expect(bobs.kid).toBe(bobsNew.kid)
    await untilHeld(here, lastGood.id, amysNext.id, bobs.id)

    const { loot, packs: stolenPacks } = await steal(machines, third)
    await untilHeld(here, loot.id, ...Object.keys(stolenPacks))
    for (const machine of here) expect(await effectsAt(machine)).toEqual(stolenPacks)
    await untilEach([dan], 'a winner of whom nobody suspects yet', async () => 'loot' in (await winnersAt(dan)))

    const catsNew = await runJson<ListedSigner>(['keys', 'add', ...on(cat)])
    await runWell(['keys', 'add', catsNew.kid, '--public-key', catsNew.publicKey, ...on(amy)])
    await runWell(['keys', 'revoke', cat.kid, '--reason', 'stolen', '--last-good', lastGood.id, ...on(amy)])
    await untilPack(here, await publishWith(amy, bob, bobsNew.kid))
    const catsNext = await announce(cat, 'cat-3')
    expect(catsNext.kid).toBe(catsNew.kid)
    const late = await announceAlone(thief, 'late-loot')
    const more = fileFor('more')
    await runWell(['log', 'export', more, '--namespace', NAMESPACE, ...on(thief)])
    await runWell(['log', 'import', more, ...on(dan)])
    await untilHeld(here, late.id, catsNext.id)

    await start(eve)
    await untilAlike(all)
    const good = [amys, amysNext, bobs, cats, lastGood, catsNext]
    const won = Object.fromEntries(good.map(({ batchId, batchRoot }) => [batchId, batchRoot]))
    const cutOff = { [loot.id]: 'KEY_CUT_OFF', [late.id]: 'KEY_CUT_OFF' }
    const counts = Object.fromEntries(good.map(({ batchId }) => [batchId, null]))
    await untilEach(
      all,
      'all that can win',
      async (machine) => Object.keys(await winnersAt(machine)).length >= good.length
    )
    const [keys, ...others] = await Promise.all(all.map(keyring))
    expect(others).toEqual(others.map(() => keys))
    expect(Object.fromEntries((keys ?? []).map(({ kid, status }) => [kid, status]))).toEqual({
      [amy.kid]: 'RETIRED',
      [amysNew.kid]: 'ACTIVE',
      [bob.kid]: 'RETIRED',
      [bobsNew.kid]: 'ACTIVE',
      [cat.kid]: 'REVOKED',
      [catsNew.kid]: 'ACTIVE'
    })
    for (const machine of all) {
      expect(await winnersAt(machine)).toEqual(won)
      expect(await effectsAt(machine)).toEqual({ ...stolenPacks, ...cutOff })
      expect(await batchesAt(machine)).toEqual({ ...counts, loot: 'KEY_CUT_OFF', 'late-loot': 'KEY_CUT_OFF' })
    }

    const { pinned, effects: forked } = await fork(machines, bobsNew.kid, catsNew.kid)
    await untilEach(all, 'two packs that are frozen', async (machine) => {
      const packs = await packsAt(machine, 5)
      return packs.length === 2 && packs.every(({ state }) => state === 'frozen')
    })
    for (const machine of all) {
      expect(await listTrustAnchors(adminAt(machine), { orgId: GUILD })).toEqual(keys)
      expect(await effectsAt(machine)).toEqual({ ...stolenPacks, ...cutOff, ...forked })
      const { warnings } = await adminAt(machine).status()
      expect(warnings).toContainEqual(expect.stringContaining(`anchormesh trust pin ${GUILD} 5 HASH`))
    }
    await untilEach(all, 'a line in the log', ({ node }) =>
      Promise.resolve(node?.stderr().includes('two valid packs of an organisation stand at one number') === true)
    )
    const goingOn = await runFailing(['pack', 'publish', ...on(amy)])
    expect(goingOn.error.detail).toMatchObject({ code: 'PACK_FORK' })
    const pin = ['trust', 'pin', GUILD, '5', pinned.packHash]
    const pins = await Promise.all(all.map((machine) => runJson<PinnedPack>([...pin, ...on(machine)])))
    expect(pins).toMatchObject(all.map(() => ({ isKnown: true, isChanged: true, isInForce: true })))
    await untilPack(all, pinned)
    await untilPack(all, await publishWith(bob, cat, catsNew.kid))
    await untilAlike(all)

    await expectAudited(amy, 'KEY_ADDED', 'KEY_ROTATED', 'KEY_REVOKED', 'FED_ANCHOR_PUBLISH', 'TRUST_PINNED')
    await expectAudited(bob, 'KEY_ADDED', 'KEY_RETIRED', 'FED_ANCHOR_PUBLISH', 'TRUST_PINNED')
    await expectAudited(dan, 'TRUST_PINNED')
    const proof = await runJson<TrustProof>(['trust', 'proof', cat.kid, '--org', GUILD, ...on(eve)])
    expect([checkTrustProof(proof), proof.key.status, proof.packSeq]).toEqual([{ ok: true }, 'REVOKED', 6])
  },
  DRILL_MS
)
