import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { identityEntry } from '../../src/cli/data-folder/identity.ts'
import { loadConfig } from '../../src/cli/data-folder/load-config.ts'
import type { ConfigSources } from '../../src/cli/data-folder/load-config.ts'
import { addPeer } from '../../src/cli/data-folder/peers-file.ts'
import type { AdminClient } from '../../src/http/admin-client.ts'
import { createAdminClient } from '../../src/http/admin-client.ts'
import { ROLES } from '../../src/policy/config-schema.ts'
import type { LoggedEvent, Published } from '../../src/operations.ts'
import { runJsonLines } from './cli.ts'
import type { TestMember } from './identities.ts'
import type { ServingNode } from './nodes.ts'
import { LOOPBACK, NAMESPACE, readAdmin } from './nodes.ts'

/** What others write of a node, or of a signer without one, in their `peers.yaml`. */
export type PeerEntry = Readonly<Record<string, unknown>>

/** The entry of the node on `folder`, with the port of loopback at which it is to be dialled, if at all. */
export async function entryOf(folder: string, port?: number): Promise<PeerEntry> {
  const { entry } = identityEntry(await loadConfig(sourcesOf(folder)))
  return { ...entry, addresses: port === undefined ? [] : [`/ip4/127.0.0.1/tcp/${port}`] }
}

/** The entry of a member that has no node: its key signs what a test imports. */
export function signerEntry({ orgId, signer }: TestMember): PeerEntry {
  const keys = [{ kid: signer.kid, publicKey: toBase64url(signer.publicKey) }]
  return { did: signer.did, orgId, roles: [...ROLES], keys }
}

/** Adds entries to the configuration of `folder`, as `peers add` does, in this process. */
export async function admit(folder: string, entries: readonly PeerEntry[]): Promise<void> {
  await addPeer(sourcesOf(folder), { file: 'the block', text: JSON.stringify(entries) })
}

/** The TCP port at which a node listens for the mesh. */
export function meshPortOf({ ready }: ServingNode): number {
  const port = /\/tcp\/([0-9]+)\//.exec(ready.multiaddrs[0] ?? '')?.[1]
  if (port === undefined) throw new Error(`no port in ${ready.multiaddrs.join(' ')}`)
  return Number(port)
}

/** The node that runs on `folder`, by its admin listener. */
export function adminOf(folder: string): AdminClient {
  return createAdminClient(readAdmin(folder))
}

function sourcesOf(folder: string): ConfigSources {
  return { folder, environment: LOOPBACK }
}

/** Ends a node as a supervisor does. */
export async function stopNode(node: ServingNode): Promise<void> {
  node.process.kill('SIGTERM')
  await node.ended
}

/** Announces a sealed batch at the node that serves the folder. */
export const announceAt = (folder: string, batchId: string): Promise<Published> =>
  adminOf(folder).announce({ namespace: NAMESPACE, batchId, timestampAnchors: [] })

/** The events of the folder's log, without those that are local. */
export const sharedEventsOf = (folder: string): Promise<LoggedEvent[]> =>
  runJsonLines<LoggedEvent>(['events', '--namespace', NAMESPACE, '--scope', 'shared', '--data', folder])
