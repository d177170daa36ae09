import type { Command } from 'commander'
import { AnchormeshError, EXIT } from '../../platform/errors.ts'
import type { Operations } from '../../operations.ts'
import type { CheckpointCheck } from '../../transparency/log-proof-operations.ts'
import type { CommandContext, VerbRunner } from '../command.ts'
import { examples } from '../help.ts'
import { readText, withInput } from '../input.ts'
import { facts, figure } from '../table.ts'
import { withOperations } from '../with-operations.ts'

const EXIT_OF = {
  consistent: EXIT.done,
  contradiction: EXIT.failed,
  unsigned: EXIT.failed,
  undecided: EXIT.undecided
} as const

interface Options {
  readonly verify?: string
  readonly check?: string
}

/** `anchormesh log checkpoint`: what this node signs about its log, and whether another's still holds. */
export function registerLogCheckpoint(log: Command, runner: VerbRunner): void {
  log
    .command('checkpoint')
    .summary('sign how long the log is, or hold a signed checkpoint against it')
    .description(
      'Prints a signed checkpoint of this node’s log (C2SP tlog-checkpoint): its length, its Merkle root, its epoch. ' +
        'With --verify, holds one that was kept against this log, or against what is kept of the log that it is of. ' +
        'With --check, fetches one from another node, with a proof that its log only grew. Ends with 0 where it is ' +
        'consistent, 1 where it contradicts or is not signed, 3 where nothing is kept to compare it with.'
    )
    .option('--verify <file>', 'a checkpoint, or - for standard input')
    .option('--check <url>', 'the public listener of another node, as http://127.0.0.1:8089')
    .addHelpText(
      'after',
      examples(
        'anchormesh log checkpoint > kept.txt',
        'anchormesh log checkpoint --verify kept.txt',
        'anchormesh log checkpoint --check http://127.0.0.1:8089'
      )
    )
    .action((options: Options, command: Command) =>
      runner.run(command, async (context) => {
        const { verify, check } = options
        if (verify !== undefined && check !== undefined)
          throw new AnchormeshError('USAGE', 'either --verify or --check, not both')
        if (verify === undefined && check === undefined) return await print(context)
        const url = check === undefined ? null : baseUrl(check)
        const note = verify === undefined ? null : await withInput(verify, context.stdin, readText)
        const checked = await withOperations(context, async (operations) => {
          await treeReady(operations, context)
          return note === null
            ? await checkPeer(url ?? '', operations, context)
            : await operations.checkCheckpoint({ note })
        })
        await tell(checked, context)
        return EXIT_OF[checked.outcome]
      })
    )
}

async function print(context: CommandContext): Promise<number> {
  const checkpoint = await withOperations(context, (operations) => treeReady(operations, context))
  // A note ends in a newline, as the line does.
  await (context.json ? context.output.json(checkpoint) : context.output.line(checkpoint.note.slice(0, -1)))
  return EXIT.done
}

// As often as a person wants to see it go on; a tree over a million records is built in seconds.
const POLL_MS = 200

/** Waits while the tree over an older log is being built. */
async function treeReady(
  operations: Operations,
  { clock, signal }: CommandContext
): Promise<Awaited<ReturnType<Operations['logCheckpoint']>>> {
  for (;;) {
    try {
      return await operations.logCheckpoint()
    } catch (error) {
      if (!(error instanceof AnchormeshError) || error.code !== 'NOT_YET') throw error
      await clock.sleep(POLL_MS, signal)
    }
  }
}

async function checkPeer(url: string, operations: Operations, context: CommandContext): Promise<CheckpointCheck> {
  const { peerLog } = await import('../../http/peer-log.ts')
  const peer = peerLog(url, context)
  const note = await peer.checkpoint()
  const checked = await operations.checkCheckpoint({ note })
  const { outcome, keptSize, size } = checked
  if (outcome !== 'undecided' || keptSize === null) return checked
  const { proof } = await peer.consistency(Math.min(keptSize, size), Math.max(keptSize, size))
  return await operations.checkCheckpoint({ note, proof })
}

function baseUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new AnchormeshError('USAGE', `${text} is no http address`, {
      hint: 'Name the public listener of a node, such as http://127.0.0.1:8088.'
    })
  return text
}

async function tell(checked: CheckpointCheck, { json, output }: CommandContext): Promise<void> {
  if (json) {
    await output.json(checked)
    return
  }
  const { origin, epoch, size, root, outcome, code, detail } = checked
  await output.line(
    facts([
      ['checkpoint', outcome.toUpperCase()],
      ['code', code],
      ['why', detail],
      ['log', origin],
      ['epoch', epoch],
      ['records', figure(size)],
      ['root', root]
    ])
  )
}
