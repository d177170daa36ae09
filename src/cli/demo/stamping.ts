import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bytesOfHex, toBase64url } from '../../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../../protocols/primitives/sha256.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import type { DevelopmentTsa } from '../../timestamps/clients/development-tsa.ts'
import { requestTimestamp } from '../../timestamps/clients/rfc3161-client.ts'
import type { CommandContext } from '../command.ts'
import { TSA_NAME } from './rails.ts'

/** On loopback a token takes some 50 ms. */
const TIMEOUT_MS = 10_000

/** A time-stamp token as a file that `announce --timestamp-anchor` takes. */
export interface Stamp {
  readonly file: string
  /** What the timestamp anchor is known by: the SHA-256 of the token. */
  readonly evidenceId: string
  readonly tokenBytes: number
  /** Milliseconds since 1970. */
  readonly genTime: number
}

/** Has a batch root stamped over HTTP and writes the timestamp anchor to `folder`. Throws `TSA_REQUEST_FAILED`. */
export async function stampRoot(
  batchRoot: string,
  tsa: DevelopmentTsa,
  folder: string,
  { random, clock }: Pick<CommandContext, 'random' | 'clock'>
): Promise<Stamp> {
  const root = bytesOfHex(batchRoot)
  const result = await requestTimestamp({ url: tsa.url, root, tsa: TSA_NAME, random, clock, timeoutMs: TIMEOUT_MS })
  if (!result.ok) throw new AnchormeshError('TSA_REQUEST_FAILED', `${result.code}: ${result.detail}`)
  const evidenceId = sha256Hex(result.token)
  const file = join(folder, `tsa-${evidenceId.slice(0, 8)}.json`)
  await writeFile(file, JSON.stringify({ chainId: `rfc3161:${TSA_NAME}`, token: toBase64url(result.token) }))
  return { file, evidenceId, tokenBytes: result.token.length, genTime: result.genTime }
}
