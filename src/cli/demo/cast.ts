import type { JsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import type { NodeStatus } from '../../operations.ts'
import type { CommandContext } from '../command.ts'
import type { DemoNode } from './demo-node.ts'
import type { Links } from './link.ts'
import type { Narrator } from './narrator.ts'
import { poll } from './poll.ts'
import type { Rails } from './rails.ts'

/** Who takes part in the demo, and where. */
export interface Cast {
  /** Seals receipts. */
  readonly maker: DemoNode
  /** Publishes its keys. */
  readonly auditor: DemoNode
  /** Is killed and comes back, is cut off and heals. */
  readonly archive: DemoNode
  /** All three. */
  readonly nodes: readonly DemoNode[]
  /** The only ways between the archive and the others. */
  readonly links: Links
  readonly rails: Rails
  readonly namespace: string
  /** For files that pass between commands. */
  readonly folder: string
  readonly narrator: Narrator
  readonly context: CommandContext
}

/** Waits until every node gossips with all the others, on every topic. */
export async function meshed({ nodes, namespace, context }: Cast): Promise<readonly NodeStatus[]> {
  const others = nodes.length - 1
  return await Promise.all(
    nodes.map((node) =>
      poll(
        `${node.name} gossips with ${others} others`,
        async () => {
          const status = await node.status()
          const topics = [namespace, '_trust'].map((name) => status.network?.topics[name])
          return topics.every((topic) => topic !== undefined && topic.mesh >= others) ? status : null
        },
        context
      )
    )
  )
}

/** Waits until every node has a row in a projection in which the members have these values. */
export async function everyNodeHas(
  cast: Cast,
  projection: string,
  query: Readonly<Record<string, string>>,
  members: JsonObject
): Promise<void> {
  const fits = (row: JsonObject): boolean => Object.entries(members).every(([member, value]) => row[member] === value)
  await everyNode(cast, `has ${JSON.stringify(members)} in ${projection}`, projection, query, fits)
}

/** Waits until every node has a row in a projection that `fits`; `what` names that for who waits in vain. */
export async function everyNode(
  { nodes, context }: Cast,
  what: string,
  projection: string,
  query: Readonly<Record<string, string>>,
  fits: (row: JsonObject) => boolean
): Promise<void> {
  await Promise.all(
    nodes.map((node) =>
      poll(`${node.name} ${what}`, async () => (await node.query(projection, query)).rows.find(fits) ?? null, context)
    )
  )
}
