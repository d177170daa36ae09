import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { Link } from '../../src/cli/demo/link.ts'
import { openLink } from '../../src/cli/demo/link.ts'
import { exitCodeOf } from '../../src/cli/verbs/sync.ts'
import type { NodeStatus, SyncResult } from '../../src/operations.ts'
import { newFolder, run, runFailing, runJsonLines, runWell } from '../support/cli.ts'
import { announceBody, next } from '../support/events.ts'
import { member } from '../support/identities.ts'
import type { PeerEntry } from '../support/mesh-folders.ts'
import { admit, adminOf, entryOf, meshPortOf, signerEntry } from '../support/mesh-folders.ts'
import { NAMESPACE, init, startNode } from '../support/nodes.ts'
import { untilAnswer } from '../support/until-answer.ts'

const SIGNER = member('signer')
const EVENTS = 5

/** Beside the sessions that a test asks for there are only those on connecting. */
const RARELY = { ANCHORMESH_SYNC_INTERVAL_MS: '86400000' }
const AN_HOUR_MS = 3_600_000

const links: Link[] = []

afterEach(async () => {
  for (const link of links.splice(0)) await link.close()
})

interface Pair {
  readonly left: string
  readonly right: string
  readonly rightDid: string
  /** The only way between the two. */
  readonly link: Link
}

/** Two nodes over a link, after their sessions on connecting. */
async function pair(options: { readonly rightAdmitsLeft?: boolean } = {}): Promise<Pair> {
  const [left, right] = [join(newFolder(), 'left'), join(newFolder(), 'right')]
  await init(left, 'left-org')
  await init(right, 'right-org')
  const rightEntry: PeerEntry = await entryOf(right)
  await admit(left, [rightEntry, signerEntry(SIGNER)])
  const link = await openLink(meshPortOf(await startNode(left, { environment: RARELY })))
  links.push(link)
  const leftEntry = await entryOf(left, link.port)
  await admit(
    right,
    options.rightAdmitsLeft === false ? [{ ...leftEntry, roles: [] }] : [leftEntry, signerEntry(SIGNER)]
  )
  await startNode(right, { environment: RARELY })
  await untilAnswer('both nodes have synced every namespace', async () => {
    const statuses = await Promise.all([left, right].map((folder) => adminOf(folder).status()))
    const isOver = ({ last, isRunning, nextAt }: NodeStatus['sync'][number]): boolean =>
      last !== null && !isRunning && nextAt !== null && nextAt > Date.now() + AN_HOUR_MS
    return statuses.every(({ sync }) => sync.every(isOver))
  })
  return { left, right, rightDid: String(rightEntry['did']), link }
}

async function importSome(folder: string): Promise<void> {
  async function* wires(): AsyncGenerator<Uint8Array> {
    let last = null
    for (let index = 0; index < EVENTS; index += 1) {
      last = await next(SIGNER, last, announceBody(`batch-${index}`), { namespace: NAMESPACE })
      yield last.wire
    }
  }
  expect(await adminOf(folder).importEvents(wires())).toMatchObject({ accepted: EVENTS })
}

const sync = (folder: string, ...args: readonly string[]): readonly string[] => [
  'sync',
  '--namespace',
  NAMESPACE,
  '--data',
  folder,
  ...args
]

const cells = (text: string): string[][] =>
  text
    .trim()
    .split('\n')
    .map((line) => line.split(/ {2,}/))

describe('anchormesh sync', () => {
  test('brings both to the same, says what it cost, as text and as JSON, and status has it', async () => {
    const { left, right, rightDid } = await pair()
    await importSome(left)
    const [result, ...others] = await runJsonLines<SyncResult>(sync(left))
    expect(others).toEqual([])
    // What was imported is offered to the peers at once: then nothing is left for this one to move.
    const isLate = result?.end === 'equal'
    expect(result).toMatchObject({
      did: rightDid,
      namespace: NAMESPACE,
      end: isLate ? 'equal' : 'synced',
      detail: null,
      sessions: 1,
      eventsSent: isLate ? 0 : EVENTS,
      eventsAccepted: 0,
      eventsDuplicate: 0,
      eventsPending: 0,
      eventsRefused: {},
      membershipDiffers: false
    })
    expect(result?.rounds).toBeGreaterThanOrEqual(1)
    const ofNamespace = (await adminOf(left).status()).sync.filter(({ namespace }) => namespace === NAMESPACE)
    // Where the other has asked at the same moment, in a session of its own, it got them twice.
    expect([[EVENTS], [2 * EVENTS]]).toContainEqual(ofNamespace.map(({ total }) => total.sent))
    // What was sent is taken in a moment later.
    const here = { ...(await adminOf(left).digest(NAMESPACE)), logSeq: 0 }
    const there = await untilAnswer('the other holds as many', async () => {
      const digest = await adminOf(right).digest(NAMESPACE)
      return digest.state === here.state && { ...digest, logSeq: 0 }
    })
    expect(there).toEqual(here)

    const [headings, ...rows] = cells(await runWell(sync(left, '--peer', rightDid)))
    expect(headings).toEqual(['PEER', 'END', 'ROUNDS', 'BYTES', 'SENT', 'RECEIVED'])
    expect(rows).toEqual([
      [expect.stringMatching(/^did:key:z6Mk/), 'equal', '1', expect.stringMatching(/ B$/), '0', '0']
    ])
    expect(await runJsonLines(['sync', '--namespace', '_trust', '--data', left])).toMatchObject([
      { namespace: '_trust', end: 'equal' }
    ])

    const status = await runWell(['status', '--data', left])
    expect(status).toMatch(/\nSYNC WITH .* NEXT\n/)
    // The other may ask for a session of its own at any time.
    expect(status).toMatch(new RegExp(`\\n.* ${NAMESPACE} .*Z +equal(?:; under way)? +1 .* 0 +0 +[0-9-]{10}T`))
  })

  test('a peer that does not admit this node to the namespace: why, and exit code 1', async () => {
    const { left } = await pair({ rightAdmitsLeft: false })
    await importSome(left)
    const refused = await run([...sync(left), '--json'])
    expect(refused).toMatchObject({ code: 1, stderr: '' })
    expect(JSON.parse(refused.stdout)).toMatchObject({ end: 'wrong-namespace', eventsSent: 0, eventsAccepted: 0 })
    const text = await run(sync(left))
    expect(text.code).toBe(1)
    expect(text.stdout).toContain('wrong-namespace: ')
  })

  test('nobody to sync with, or nothing to sync: what is wrong, and what helps', async () => {
    const { left, right, rightDid, link } = await pair()
    const namespace = await runFailing(['sync', '--namespace', 'test:other', '--data', left])
    expect(namespace).toMatchObject({ exitCode: 1, error: { code: 'NOT_FOUND' } })
    const peer = await runFailing(sync(left, '--peer', 'did:key:z6MkNobody'))
    expect(peer).toMatchObject({ exitCode: 1, error: { code: 'NOT_FOUND', hint: 'anchormesh peers list --json' } })
    // A member without a node can't be synced with.
    const nodeless = await runFailing(sync(left, '--peer', SIGNER.signer.did))
    expect(nodeless).toMatchObject({ exitCode: 3, error: { code: 'PEER_UNREACHABLE' } })

    link.cut()
    await untilAnswer('the cut is noticed', async () => {
      const statuses = await Promise.all([left, right].map((folder) => adminOf(folder).status()))
      return statuses.every(({ network }: NodeStatus) => network?.peers.every(({ connected }) => !connected))
    })
    const cut = await runFailing(sync(left, '--peer', rightDid))
    expect(cut).toMatchObject({ exitCode: 3, stdout: '', error: { code: 'PEER_UNREACHABLE' } })
    expect(cut.error.message).toContain(rightDid)
    expect(cut.error.hint).toContain('anchormesh status')
    const all = await run(sync(left))
    expect(all).toMatchObject({ code: 3, stdout: '' })
    expect(all.stderr).toMatch(/^error PEER_UNREACHABLE: no peer that may read test:mesh is connected\nhint: /)
    const status = await runWell(['status', '--data', left])
    expect(status).toMatch(/\nSYNC WITH /)
  })

  test('without a running node: NODE_NOT_RUNNING', async () => {
    const folder = join(newFolder(), 'node')
    await init(folder, 'org')
    const failed = await runFailing(sync(folder))
    expect(failed).toMatchObject({ exitCode: 1, stdout: '', error: { code: 'NODE_NOT_RUNNING' } })
    expect(failed.error.hint).toContain('anchormesh start')
  })

  test.each([
    [0, ['equal', 'synced']],
    [3, ['synced', 'busy']],
    [3, ['broken', 'timeout']],
    [1, ['synced', 'busy', 'wrong-namespace']],
    [1, ['lied']]
  ])('exit code %i after sessions that ended %j', (code, ends) => {
    expect(exitCodeOf(ends.map((end) => ({ end })))).toBe(code)
  })

  test('a namespace is required, and its form is checked', async () => {
    expect(await runFailing(['sync'])).toMatchObject({ exitCode: 2, error: { code: 'USAGE' } })
    expect(await runFailing(['sync', '--namespace', 'No Such'])).toMatchObject({
      exitCode: 2,
      error: { code: 'USAGE' }
    })
  })

  test('--help says what it does, and when it exits how', async () => {
    const help = await runWell(['sync', '--help'])
    expect(help).toMatch(/--namespace <namespace>/)
    expect(help).toMatch(/--peer <did>/)
    expect(help.replaceAll(/\s+/g, ' ')).toContain('Exit 1 when a session failed, 3 when no peer could be reached')
  })
})
