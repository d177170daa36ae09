import { isConsistent } from '../../protocols/checkpoint/v1/judge.ts'
import type { CheckpointNote, CheckpointText } from '../../protocols/checkpoint/v1/note.ts'
import {
  checkpointText,
  encodeCheckpoint,
  isSignedBy,
  originOf,
  parseCheckpoint,
  verifierKeyOf
} from '../../protocols/checkpoint/v1/note.ts'
import { toBase64url, toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { GENESIS_HASH } from '../log/record.ts'
import type { TreeView } from '../log/tree-view.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { Keyring } from '../trust/keyring.ts'
import type { Signer } from '../trust/signer.ts'
import type { KeptPorts } from './kept-checkpoints.ts'
import { checkpointsFolded, keptCheckpoint, lastCheckpoint } from './kept-checkpoints.ts'
import type {
  CheckpointCheck,
  LogCheckpoint,
  LogConsistency,
  LogInclusion,
  LogProofOperations
} from './log-proof-operations.ts'

export interface LogProofsPorts extends KeptPorts {
  readonly keyring: Keyring
  readonly policy: () => PolicyView
  readonly signer: () => Signer
  readonly logger: Logger
}

type Judgement = Pick<CheckpointCheck, 'outcome' | 'code' | 'detail'> & { readonly keptSize?: number }

/** Signed checkpoints of this node's log, proofs from its tree, and how others' checkpoints stand to what is kept. */
export class LogProofs implements LogProofOperations {
  readonly #ports: LogProofsPorts
  /** The last note: one signature for each length of the log, however often it is asked for. */
  #signed: { readonly origin: string; readonly checkpoint: LogCheckpoint } | null = null

  constructor(ports: LogProofsPorts) {
    this.#ports = ports
  }

  logCheckpoint: LogProofOperations['logCheckpoint'] = async () => {
    const { log } = this.#ports
    const signer = this.#ports.signer()
    const name = { signer: signer.did, kid: signer.kid }
    // [WRITE] CHK-13: the tree is over records whose synced write has been confirmed, and no others.
    const tree = this.#tree()
    const { size } = tree
    const known = this.#signed
    if (known?.origin === originOf(name) && known.checkpoint.size === size) return known.checkpoint
    const text: CheckpointText = { name, size, root: await tree.root(size), epoch: log.epoch }
    const signature = await signer.sign(checkpointText(text))
    const checkpoint = {
      note: encodeCheckpoint(text, signer.publicKey, signature),
      ...this.#logName(),
      size,
      root: toHex(text.root),
      verifierKey: verifierKeyOf(name, signer.publicKey)
    }
    this.#signed = { origin: originOf(name), checkpoint }
    return checkpoint
  }

  logInclusion: LogProofOperations['logInclusion'] = async ({ logSeq, size: asked }): Promise<LogInclusion> => {
    const { log } = this.#ports
    const tree = this.#tree()
    const size = asked ?? tree.size
    assertHeld(tree, size)
    if (logSeq > size) {
      throw new AnchormeshError('QUERY_INVALID', `record ${logSeq} does not stand in the first ${size}`)
    }
    const record = await log.read(logSeq)
    if (record === undefined) throw new AnchormeshError('STORE_CORRUPT', `record ${logSeq} is missing`)
    const before = logSeq === 1 ? undefined : await log.read(logSeq - 1)
    const content = {
      previousHash: toHex(before?.hash ?? GENESIS_HASH),
      scope: 1 as const,
      recordedAt: record.recordedAt,
      bytes: toBase64url(record.payload)
    }
    return {
      ...this.#logName(),
      logSeq,
      size,
      root: toHex(await tree.root(size)),
      leafHash: toHex(await tree.leaf(logSeq)),
      recordHash: toHex(record.hash),
      proof: (await tree.inclusion(logSeq, size)).map(toHex),
      record: record.scope === 'shared' ? content : null
    }
  }

  logConsistency: LogProofOperations['logConsistency'] = async ({ from, to }): Promise<LogConsistency> => {
    const tree = this.#tree()
    assertHeld(tree, Math.max(from, to))
    if (from > to) throw new AnchormeshError('QUERY_INVALID', `from ${from} is more than to ${to}`)
    return {
      ...this.#logName(),
      from,
      fromRoot: toHex(await tree.root(from)),
      to,
      toRoot: toHex(await tree.root(to)),
      proof: (await tree.consistency(from, to)).map(toHex)
    }
  }

  checkCheckpoint: LogProofOperations['checkCheckpoint'] = async ({ note: text, proof = [] }) => {
    const reading = parseCheckpoint(utf8(text))
    if (!reading.ok) throw new AnchormeshError('CHECKPOINT_INVALID', `this is no checkpoint: ${reading.detail}`)
    const { note } = reading
    const { name, epoch, size } = note
    const judged = this.#signatureProblem(note) ?? (await this.#judge(note, proof))
    return { origin: originOf(name), epoch, size, root: toHex(note.root), keptSize: null, ...judged }
  }

  #signatureProblem(note: CheckpointNote): Judgement | null {
    const { keyring, policy } = this.#ports
    const { signer, kid } = note.name
    const found = keyring.find(signer, kid, policy().orgOf(signer))
    if (!found.ok) return { outcome: 'unsigned', code: 'KEY_UNKNOWN', detail: found.detail }
    if (found.keys.some((key) => isSignedBy(note, key))) return null
    return { outcome: 'unsigned', code: 'SIGNATURE_INVALID', detail: `no good signature of ${kid} stands under it` }
  }

  async #judge(note: CheckpointNote, proof: readonly string[]): Promise<Judgement> {
    // Of whichever of its keys: another one signs the same log.
    const isOwn = note.name.signer === this.#ports.signer().did
    return isOwn ? await this.#judgeOwn(note) : await this.#judgeOther(note, proof)
  }

  async #judgeOwn({ epoch, size, root }: CheckpointNote): Promise<Judgement> {
    const { log } = this.#ports
    const tree = this.#tree()
    if (epoch !== log.epoch) return undecided(`this log is of epoch ${log.epoch}`)
    if (size > tree.size) return contradiction('LOG_ROLLED_BACK', `this log has ${tree.size} records`)
    const own = toHex(await tree.root(size))
    if (own !== toHex(root)) return contradiction('LOG_REWRITTEN', `this log's root over ${size} records is ${own}`)
    return { outcome: 'consistent', code: null, detail: `this log begins with these ${size} records` }
  }

  async #judgeOther({ name, epoch, size, root }: CheckpointNote, proof: readonly string[]): Promise<Judgement> {
    await checkpointsFolded(this.#ports)
    // Under a new key none may be kept yet; the log is the same.
    const kept = (await keptCheckpoint(this.#ports, name)) ?? (await lastCheckpoint(this.#ports, name))
    if (kept === null) return undecided('no checkpoint of that log is kept here')
    if (kept.epoch !== epoch) return undecided(`the checkpoint that is kept is of epoch ${kept.epoch}`)
    const said = { size, root: toHex(root) }
    const [older, newer] = size < kept.size ? [said, kept] : [kept, said]
    const keptSize = kept.size
    if (size !== kept.size && proof.length === 0 && older.size > 0)
      return { ...undecided(`the checkpoint that is kept is over ${kept.size} records: a proof is needed`), keptSize }
    if (isConsistent(older, newer, proof))
      return { outcome: 'consistent', code: null, detail: `it agrees with the one over ${keptSize} records`, keptSize }
    return { ...contradiction('LOG_REWRITTEN', `it contradicts ${kept.eventId}, over ${keptSize} records`), keptSize }
  }

  #logName(): { readonly origin: string; readonly epoch: string } {
    const { did, kid } = this.#ports.signer()
    return { origin: originOf({ signer: did, kid }), epoch: this.#ports.log.epoch }
  }

  /** Starts to build the tree where that was not done yet. */
  #tree(): TreeView {
    const { log, logger } = this.#ports
    const { tree, head } = log
    const { view } = tree
    if (view !== null) return view
    tree.ready().catch((error: unknown) => {
      if (!log.closed) logger.warn({ reason: messageOf(error) }, 'the tree over the log could not be built yet')
    })
    throw new AnchormeshError(
      'NOT_YET',
      `the tree over the log is being built: ${tree.builtTo} of ${head.logSeq} records`
    )
  }
}

function assertHeld(tree: TreeView, size: number): void {
  if (size > tree.size) throw new AnchormeshError('NOT_FOUND', `the log has ${tree.size} records, not ${size}`)
}

function undecided(detail: string): Judgement {
  return { outcome: 'undecided', code: null, detail }
}

function contradiction(code: 'LOG_ROLLED_BACK' | 'LOG_REWRITTEN', detail: string): Judgement {
  return { outcome: 'contradiction', code, detail }
}
