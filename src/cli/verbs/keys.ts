import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import type { KeyUse } from '../../../protocols/event/v1/anchor-pack.ts'
import { KEY_USES, PACK_KEYS_MAX, REASON_BYTES_MAX } from '../../../protocols/event/v1/anchor-pack.ts'
import { utf8 } from '../../../protocols/primitives/bytes.ts'
import { KID_PATTERN } from '../../../protocols/signature/v1/jws.ts'
import type { ListedSigner, RevokeKeyRequest, SignersReport } from '../../packs/pack-operations.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import { countArgument, listArgument, timeArgument } from '../arguments.ts'
import type { CommandContext, RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { duration, facts, table } from '../table.ts'
import { withOperations } from '../with-operations.ts'

const NEXT = 'It takes effect with the next pack: anchormesh pack publish'

/** `anchormesh keys`: the keys of this node's organisation, as the next pack shall have them. */
export const registerKeys: RegisterVerb = (program, runner) => {
  const keys = program
    .command('keys')
    .summary('decide about the organisation’s keys; seal the keystore')
    .description(
      'The keys of this node’s organisation. What is decided here takes effect with the next pack, which ' +
        '`anchormesh pack publish` makes.'
    )
    .addHelpText('after', examples('anchormesh keys list', 'anchormesh keys rotate', 'anchormesh keys seal'))
  registerAdd(keys, runner)
  registerList(keys, runner)
  registerRotate(keys, runner)
  registerRetire(keys, runner)
  registerRevoke(keys, runner)
  registerThreshold(keys, runner)
}

const registerAdd: RegisterVerb = (keys, runner) => {
  interface Options {
    readonly publicKey?: string
    readonly use?: readonly KeyUse[]
    readonly notAfter?: number
  }
  keys
    .command('add')
    .summary('add a key: a new one of this machine, or another machine’s by its public key')
    .description(
      'Without KID makes a new key in this keystore. With --public-key takes in the key of another machine, as its ' +
        '`anchormesh keys list --json` shows it. For a key that is active already, changes what it may sign.'
    )
    .argument('[kid]', 'the name of the key', kidArgument)
    .option('--public-key <base64url>', 'the public key of another machine')
    .option('--use <uses>', 'what it may sign: event, pack or event,pack (default)', usesArgument)
    .option('--not-after <time>', 'when it shall be replaced; it informs, and decides nothing', timeArgument)
    .addHelpText('after', examples('anchormesh keys add', 'anchormesh keys add laptop-2 --public-key B64U --use pack'))
    .action((kid: string | undefined, { publicKey, use, notAfter }: Options, command: Command) =>
      runner.run(command, async (context) => {
        const added = await withOperations(context, (operations) =>
          operations.addKey({
            ...(kid === undefined ? {} : { kid }),
            ...(publicKey === undefined ? {} : { publicKey }),
            ...(use === undefined ? {} : { uses: use }),
            ...(notAfter === undefined ? {} : { notAfter })
          })
        )
        await showSigner(added, context)
      })
    )
}

const registerList: RegisterVerb = (keys, runner) => {
  keys
    .command('list')
    .summary('list the organisation’s keys: in force, to be changed, held here')
    .description(
      'Lists the keys of this node’s organisation: their status by the packs in force, what the next pack shall change, ' +
        'whether the private key is on this machine, and which one signs events now.'
    )
    .addHelpText('after', examples('anchormesh keys list', 'anchormesh keys list --json'))
    .action((_options: object, command: Command) =>
      runner.run(command, async (context) => {
        const report = await withOperations(context, (operations) => operations.signers())
        const now = context.clock.now()
        const { json, output } = context
        if (!json) return await showReport(report, now, context)
        for (const signer of report.signers) {
          const ageMs = signer.since === null ? null : Math.max(0, now - signer.since)
          await output.json({ orgId: report.orgId, ...signer, ageMs })
        }
      })
    )
}

const registerRotate: RegisterVerb = (keys, runner) => {
  keys
    .command('rotate')
    .summary('put a new key in the place of one of this machine')
    .description(
      'Makes a new key in this keystore and has the next pack retire the old one, by default the one that signs events ' +
        'now. Until that pack is in force the old key goes on signing; then the new one does, and what the old one has ' +
        'signed stays good. Where a pack needs signatures of others, a draft that retires a key is out of date as soon as ' +
        'the key signs one more event: on a busy node publish the new key first (keys add), then retire the old one.'
    )
    .argument('[kid]', 'the key to replace', kidArgument)
    .option('--reason <text>', 'why, for everybody to read', reasonArgument)
    .addHelpText('after', examples('anchormesh keys rotate', 'anchormesh keys rotate --reason "yearly rotation"'))
    .action((kid: string | undefined, { reason }: { readonly reason?: string }, command: Command) =>
      runner.run(command, async (context) => {
        const rotated = await withOperations(context, (operations) =>
          operations.rotateKey({ ...(kid === undefined ? {} : { kid }), ...(reason === undefined ? {} : { reason }) })
        )
        if (context.json) return await context.output.json(rotated)
        await context.output.line(
          facts([
            ['new key', rotated.added.kid],
            ['retired with it', rotated.retired.kid]
          ])
        )
        context.output.note(NEXT)
      })
    )
}

const registerRetire: RegisterVerb = (keys, runner) => {
  keys
    .command('retire')
    .summary('have the next pack retire a key')
    .description(
      'Has the next pack retire a key: what this node holds of its events when the pack is made stays good, anything ' +
        'further has no effect.'
    )
    .argument('<kid>', 'the key', kidArgument)
    .option('--reason <text>', 'why, for everybody to read', reasonArgument)
    .addHelpText('after', examples('anchormesh keys retire KID'))
    .action((kid: string, { reason }: { readonly reason?: string }, command: Command) =>
      runner.run(command, async (context) => {
        const request = { kid, ...(reason === undefined ? {} : { reason }) }
        await showSigner(await withOperations(context, (operations) => operations.retireKey(request)), context)
      })
    )
}

const registerRevoke: RegisterVerb = (keys, runner) => {
  interface Options {
    readonly reason?: string
    readonly lastGood?: readonly string[]
    readonly allGood?: true
    readonly noneGood?: true
  }
  keys
    .command('revoke')
    .summary('have the next pack revoke a key, and say what stays good of it')
    .description(
      'Has the next pack revoke a key, for good. What its events are worth must be said: those up to --last-good, all ' +
        'that this node holds, or none. For a key that is retired, by default what its retirement left good.'
    )
    .argument('<kid>', 'the key', kidArgument)
    .option('--reason <text>', 'why, for everybody to read', reasonArgument)
    .option(
      '--last-good <event>',
      'the id of an event that is good with all before it; can be given again',
      listArgument
    )
    .option('--all-good', 'all that this node holds of it now')
    .option('--none-good', 'nothing that it has ever signed')
    .addHelpText(
      'after',
      examples(
        'anchormesh keys revoke KID --reason "laptop stolen" --last-good EVENTID',
        'anchormesh keys revoke KID --reason "never used" --none-good'
      )
    )
    .action((kid: string, options: Options, command: Command) =>
      runner.run(command, async (context) => {
        if (options.reason === undefined)
          throw new AnchormeshError('USAGE', 'a revocation needs --reason', { hint: '--reason "laptop stolen"' })
        const lastGood = lastGoodOf(options)
        const request = { kid, reason: options.reason, ...(lastGood === undefined ? {} : { lastGood }) }
        await showSigner(await withOperations(context, (operations) => operations.revokeKey(request)), context)
      })
    )

  function lastGoodOf({ lastGood, allGood, noneGood }: Options): RevokeKeyRequest['lastGood'] {
    const given = [lastGood, allGood, noneGood].filter((one) => one !== undefined)
    if (given.length > 1) {
      throw new AnchormeshError('USAGE', '--last-good, --all-good and --none-good exclude each other', {
        hint: 'Give one of them.'
      })
    }
    const other = lastGood?.find((id) => !/^[0-9a-f]{64}$/.test(id))
    if (other !== undefined)
      throw new AnchormeshError('USAGE', `${other} is no event id`, { hint: 'It has 64 lower-case hex digits.' })
    return lastGood ?? (allGood === true ? 'all' : noneGood === true ? 'none' : undefined)
  }
}

const registerThreshold: RegisterVerb = (keys, runner) => {
  keys
    .command('threshold')
    .summary('say how many keys must sign the packs after the next one')
    .description(
      'Says how many keys must sign each pack from the one after the next on. The next one says so, and itself needs as ' +
        'many of the keys that it holds, and as many as the one before it asks for. What is missing is signed elsewhere, ' +
        'on a draft: pack publish --with KID.'
    )
    .argument('<n>', `a number from 1 to ${PACK_KEYS_MAX}`, countArgument)
    .addHelpText('after', examples('anchormesh keys threshold 2'))
    .action((threshold: number, _options: object, command: Command) =>
      runner.run(command, async (context) => {
        if (threshold > PACK_KEYS_MAX)
          throw new AnchormeshError('USAGE', `a threshold is at most ${PACK_KEYS_MAX}`, { hint: 'keys threshold 2' })
        const report = await withOperations(context, (operations) => operations.setKeyThreshold({ threshold }))
        const { orgId, threshold: inForce, intendedThreshold } = report
        if (context.json) return await context.output.json({ orgId, threshold: inForce, intendedThreshold })
        await context.output.line(
          facts([
            ['in force', inForce],
            ['next', intendedThreshold]
          ])
        )
        context.output.note(NEXT)
      })
    )
}

async function showSigner(signer: ListedSigner, { json, output }: CommandContext): Promise<void> {
  if (json) return await output.json(signer)
  const { kid, publicKey, intended, inForce, held } = signer
  await output.line(
    facts([
      ['key', kid],
      ['public key', publicKey],
      ['in force', inForce?.status ?? 'not in a pack yet'],
      ['next', intended?.status],
      ['may sign', (intended ?? inForce)?.uses.join(', ')],
      ['stays good', intended === null ? null : lastGoodText(intended.lastGood)],
      ['held here', held ? 'yes' : 'no']
    ])
  )
  output.note(NEXT)
}

function lastGoodText(lastGood: NonNullable<ListedSigner['intended']>['lastGood']): string | null {
  if (lastGood === null) return null
  if (lastGood === 'tips') return 'what this node holds of it when the pack is made'
  return lastGood.length === 0 ? 'nothing' : lastGood.map(({ id }) => id).join(', ')
}

async function showReport(report: SignersReport, now: number, { output }: CommandContext): Promise<void> {
  const { orgId, packSeq, threshold, intendedThreshold, isFrozen, draft } = report
  const head = facts([
    ['organisation', orgId],
    ['pack in force', packSeq === 0 ? 'none yet' : packSeq],
    ['threshold', intendedThreshold === null ? threshold : `${threshold}, next ${intendedThreshold}`],
    ['frozen', isFrozen ? 'two packs stand at one number: anchormesh trust pin' : null],
    ['draft', draft === null ? null : `of pack ${draft.packSeq}, waits for ${draft.missing.join(', ') || 'nobody'}`]
  ])
  const listed = table<ListedSigner>(
    [
      { heading: 'KID', cell: ({ kid }) => kid },
      { heading: 'STATUS', cell: ({ inForce }) => inForce?.status ?? '-' },
      { heading: 'NEXT', cell: ({ intended }) => intended?.status },
      { heading: 'USES', cell: ({ inForce, intended }) => (intended ?? inForce)?.uses.join(',') },
      { heading: 'HELD', cell: ({ held }) => (held ? 'yes' : '') },
      { heading: 'SIGNING', cell: ({ signing }) => (signing ? 'yes' : '') },
      { heading: 'AGE', cell: ({ since }) => (since === null ? '' : duration(Math.max(0, now - since))) },
      { heading: 'REASON', cell: ({ inForce, intended }) => intended?.reason ?? inForce?.reason }
    ],
    report.signers
  )
  await output.line(`${head}\n\n${listed}`)
}

function kidArgument(text: string): string {
  if (KID_PATTERN.test(text)) return text
  throw new InvalidArgumentError('A kid has letters, digits, . _ : # and -, at most 128.')
}

function usesArgument(text: string): readonly KeyUse[] {
  const named = text.split(',')
  const uses = KEY_USES.filter((use) => named.includes(use))
  if (uses.length > 0 && uses.length === new Set(named).size) return uses
  throw new InvalidArgumentError('It must be event, pack or event,pack.')
}

function reasonArgument(text: string): string {
  if (text.length > 0 && text.isWellFormed() && utf8(text).length <= REASON_BYTES_MAX) return text
  throw new InvalidArgumentError(`A reason has 1 to ${REASON_BYTES_MAX} bytes.`)
}
