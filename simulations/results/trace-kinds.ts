import { z } from 'zod'
import type { TraceKind } from '../model/simulation.ts'

const nodeName = z.string().regex(/^n\d+$/)
const nodeNames = z.array(nodeName)
const eventId = z.string().describe('id of the event, SHA-256 in hex')
const bytes = (what: string) => z.int().min(0).describe(`${what}, in bytes`)
const count = (what: string) => z.int().min(0).describe(what)
const faultIndex = count('its place in the list of faults of the scenario, from 0; those of byzantine come after them')

/**
 * The fields of each kind of record, beside those that all have. `simulations/TRACE.md` is made from it; a test holds
 * them together.
 */
export const TRACE_FIELDS = {
  run: z.object({
    v: z.literal(1).describe('version of this format'),
    scenario: z.looseObject({}).describe('the scenario as it was run, in the form of a scenario file'),
    files: z.record(z.string(), z.string()).describe('texts of the files that the scenario names, by name'),
    seed: z.string().describe('the seed of the run'),
    level: z.enum(['full', 'gossip']).describe('how much of libp2p the run has'),
    extensions: z
      .array(z.strictObject({ name: z.string(), sha256: z.string() }))
      .describe(
        "modules with checks and workloads of one's own: `name` of the file, and `sha256` of its contents, in hex"
      ),
    traceFrames: z.boolean().describe('whether there are records of kind `frame`'),
    nodeVersion: z.string().describe('version of Node.js'),
    commit: z.string().nullable().describe('commit of the source, with `-dirty` where it was changed since, or null'),
    version: z.string().describe('version of Anchormesh')
  }),
  started: z.object({}),
  boot: z.object({}),
  stop: z.object({}),
  crash: z.object({ power: z.boolean().describe('whether the machine lost its power, and so what was not synced') }),
  pause: z.object({}),
  resume: z.object({}),
  'lose-disk': z.object({}),
  connect: z.object({ peer: nodeName.describe('name of the other node') }),
  disconnect: z.object({ peer: nodeName.describe('name of the other node') }),
  publish: z.object({ id: eventId }),
  accept: z.object({ id: eventId }),
  winner: z.object({
    namespace: z.string().describe('namespace of the batch'),
    owner: z.string().describe('organisation whose batch it is'),
    batchId: z.string().describe('id of the batch'),
    status: z.string().describe('`proposed`, `verified` or `settled`'),
    batchRoot: z.string().nullable().describe('root of the winner, in hex, or null where there is none yet'),
    chainId: z.string().nullable().describe('chain of its timestamp anchor, or null'),
    evidenceId: z.string().nullable().describe('evidence of its timestamp anchor, or null')
  }),
  sync: z.object({
    peer: z.string().describe('PeerId of the other node'),
    namespace: z.string().describe('namespace that was compared'),
    role: z.enum(['initiator', 'responder']).describe('whether this node opened the session'),
    end: z.string().describe('how it ended, as `status` of a node names it'),
    rounds: count('rounds that it took'),
    sent: count('events sent'),
    received: count('events received that were news')
  }),
  fault: z.object({
    fault: z.string().describe('kind of the fault, as in the scenario'),
    index: faultIndex,
    groups: z.array(nodeNames).optional().describe('of a partition: names of the nodes that reach each other'),
    nodes: nodeNames.optional().describe('names of the nodes that it is done to')
  }),
  heal: z.object({
    fault: z.string().describe('kind of the fault that is undone'),
    index: faultIndex
  }),
  sample: z.object({
    online: count('honest nodes that are on'),
    whole: count('those of them that hold all events that any of them holds'),
    events: count('events that any of them holds'),
    bytesSent: bytes('sent by all nodes since the start of the run'),
    messagesSent: count('messages sent by all nodes since the start of the run')
  }),
  frame: z.object({
    from: z.string().describe('address of the sending host'),
    to: z.string().describe('address of the receiving host'),
    bytes: bytes('size on the wire')
  }),
  converged: z.object({
    afterHealUs: z.int().min(0).describe('microseconds since the end of the faults')
  }),
  fail: z.object({
    check: z.string().describe('name of the check, or `defect`'),
    detail: z.string().describe('what is wrong')
  })
} as const satisfies Record<TraceKind, z.ZodObject>

/** What each kind says. */
export const TRACE_MEANINGS: Readonly<Record<TraceKind, string>> = {
  run: 'The first record: what makes the same run again.',
  started: 'All nodes that are there from the start run. Times of the scenario count from here.',
  boot: 'The node starts, on what its disk holds.',
  stop: 'The node ends in order.',
  crash: 'The node ends at once.',
  pause: 'The node stands still.',
  resume: 'The node goes on.',
  'lose-disk': 'The disk of the node is empty.',
  connect: 'The node has its first connection to a peer.',
  disconnect: 'The node has no connection to a peer any more.',
  publish: 'The node has told a workload that its event is safe.',
  accept: 'The event is safe in the log of the node, which did not hold it before.',
  winner: 'The node has written down what it holds to be the winner of a batch.',
  sync: 'A session of range-sync has ended on the node.',
  fault: 'The scenario does something.',
  heal: 'It is undone.',
  sample: 'The mesh as it is now.',
  frame: 'A host sends bytes. Only where a run was asked to trace frames.',
  converged: 'The checks found, at a sample or at the end, that all honest nodes hold the same.',
  fail: 'A check found that something is wrong.'
}
