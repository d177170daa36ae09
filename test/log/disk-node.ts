import { join } from 'node:path'
import { checkpointFile } from '../../src/log/checkpoint-file.ts'
import { openLevelStore } from '../../src/log/level-store.ts'
import type { LogVerification } from '../../src/log/verify-log.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { createNode } from '../../src/node.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { collect } from '../support/collect.ts'
import { member, policyOf } from '../support/identities.ts'
import type { TestMember } from '../support/identities.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'

const self = member('self')
const authors: readonly TestMember[] = [member('ada'), member('bob'), member('eve')]

/** A whole node without a mesh on a folder, on the machine's own clock. */
export async function openDiskNode(folder: string): Promise<AnchormeshNode> {
  const checkpoint = checkpointFile(join(folder, 'store.json'))
  const create = (await checkpoint.read()) === null
  const ports = {
    store: await openLevelStore(join(folder, 'store'), { create }),
    blobs: await openLevelStore(join(folder, 'blobs'), { create }),
    checkpoint,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger
  }
  return await createNode({ policy: policyOf(self, [self, ...authors]), signer: self.signer, version: 'test' }, ports)
}

/**
 * The same events whenever they are made: three chains that take turns, some of them with a fork, each event with
 * `padBytes` of noise.
 */
export async function deterministicEvents(count: number, padBytes: number): Promise<SignedEvent[]> {
  const random = seededRandom('events')
  const chains = authors.map((): SignedEvent[] => [])
  const events: SignedEvent[] = []
  for (let index = 0; index < count; index += 1) {
    const turn = index % authors.length
    const chain = chains[turn] ?? []
    const before = index % 50 === 49 ? chain.at(-2) : chain.at(-1)
    const pad = Buffer.from(random.bytes(padBytes)).toString('base64')
    const event = await next(authors[turn] ?? self, before ?? null, { ...announceBody(`batch-${index}`), pad })
    chain.push(event)
    events.push(event)
  }
  return events
}

/**
 * What a folder holds: the ids in its log, what a walk over it finds, and whether every projection came out the same
 * when it was built anew.
 */
export interface FolderContent {
  readonly ids: ReadonlySet<string>
  readonly findings: LogVerification
  readonly rebuilt: boolean
}

/** Opens the folder as a restarted node does, and looks; with `rebuild` also whether a rebuild changes anything. */
export async function inspectFolder(folder: string, options: { readonly rebuild: boolean }): Promise<FolderContent> {
  const node = await openDiskNode(folder)
  try {
    const ids = new Set((await collect(node.events({}))).flatMap(({ id }) => (id === null ? [] : [id])))
    const findings = await node.verifyLog()
    const rebuilt = !options.rebuild || (await node.rebuild()).every(({ identical }) => identical)
    return { ids, findings, rebuilt }
  } finally {
    await node.close()
  }
}
