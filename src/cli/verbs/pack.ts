import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import { NAME_PATTERN } from '../../../protocols/event/v1/announce.ts'
import type { Operations } from '../../operations.ts'
import type { DraftedPack, PackView, PublishPackRequest, PublishedPack } from '../../packs/pack-operations.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import { countArgument, listArgument } from '../arguments.ts'
import type { CommandContext, RegisterVerb } from '../command.ts'
import { dataPaths } from '../data-folder/paths.ts'
import { draftText, isFile, readDraftFile, replaceDraftFile } from '../draft-file.ts'
import { examples } from '../help.ts'
import { writeNewFile } from '../new-file.ts'
import { packText } from '../pack-text.ts'
import { noteIfUnsent, publishedText } from '../published.ts'
import { facts } from '../table.ts'
import { withOperations } from '../with-operations.ts'
import { addPackSyncCommands } from './pack-sync.ts'

interface PublishOptions {
  readonly threshold?: number
  readonly delta?: true
  readonly validDays?: number
  readonly with?: readonly string[]
  readonly out?: string
  readonly discardDraft?: true
  readonly recover?: true
}

/** `anchormesh pack`: the signed publications of an organisation's keys. */
export const registerPack: RegisterVerb = (program, runner) => {
  const pack = program
    .command('pack')
    .summary('publish the organisation’s keys, and have those of others')
    .description('Anchor packs: the signed publications of an organisation’s keys.')
    .addHelpText('after', examples('anchormesh pack publish', 'anchormesh pack show', 'anchormesh pack pull'))
  pack
    .command('publish')
    .summary('publish the next anchor pack of this organisation, or a draft that has its signatures')
    .description(
      'Makes the next pack of this node’s organisation from what `anchormesh keys` was told, signs it with the keys of ' +
        'this machine and publishes it. Where those are too few it makes a draft for others to sign: a file, and ' +
        'pending-pack.json in the data folder. With FILE it publishes such a draft once it is whole.'
    )
    .argument('[file]', 'a draft that was signed, or - for standard input')
    .option('--threshold <n>', 'how many keys must sign the packs after this one', countArgument)
    .option('--delta', 'only what changes, in the place of all keys; the same keys result')
    .option('--valid-days <days>', 'how long until the keys are shown as stale (default: 90)', countArgument)
    .option('--with <kid>', 'a key of another machine that signs, too; can be given again', listArgument)
    .option('--out <file>', 'where to write the draft')
    .option('--discard-draft', 'give up the draft of this node that waits, and make the next pack in its place')
    .option('--recover', 'a draft without the keys before, which are lost; it counts where it is pinned')
    .addHelpText(
      'after',
      examples(
        'anchormesh pack publish',
        'anchormesh pack publish --with KID --out draft.json',
        'anchormesh pack publish draft.json',
        'anchormesh pack publish --recover --threshold 1 --out draft.json'
      )
    )
    .action((file: string | undefined, options: PublishOptions, command: Command) =>
      runner.run(command, async (context) => {
        if (file !== undefined) refuseMixed(options)
        const made = await withOperations(context, async (operations) => {
          if (file === undefined) return await publishOrDraft(operations, options)
          return await operations.completePack(await readDraftFile(file, context))
        })
        await ('draft' in made ? showDrafted(made, options.out, context) : showPublished(made, context))
        if ('draft' in made && options.recover === true) notePin(made, context)
      })
    )
  registerSign(pack, runner)
  registerShow(pack, runner)
}

const registerSign: RegisterVerb = (pack, runner) => {
  pack
    .command('sign')
    .summary('add this machine’s signature to a draft')
    .description(
      'Shows what a draft would change, judges it by what this node holds, and signs it with the keys of this machine ' +
        'that it names. Nothing is signed that would have no effect.'
    )
    .argument('<file>', 'the draft; the signed one takes its place')
    .option('--out <file>', 'write the signed one here instead')
    .option('--discard-draft', 'give up another draft of this number that this machine has signed')
    .addHelpText(
      'after',
      examples('anchormesh pack sign draft.json', 'anchormesh pack sign draft.json --out signed.json')
    )
    .action(
      (
        file: string,
        { out, discardDraft }: { readonly out?: string; readonly discardDraft?: true },
        command: Command
      ) =>
        runner.run(command, async (context) => {
          const draft = await readDraftFile(file, context)
          const signed = await withOperations(context, async (operations) => {
            const view = await operations.viewDraft(draft)
            if (!context.json) await context.output.line(`${packText(view)}\n`)
            return await operations.signPack(draft, { discardDraft })
          })
          const target = out ?? file
          if (target === '-') await context.output.line(draftText(signed.draft))
          else await replaceDraftFile(target, signed.draft)
          if (target !== '-') await showDrafted(signed, target, context)
        })
    )
  addPackSyncCommands(pack, runner)
}

const registerShow: RegisterVerb = (pack, runner) => {
  pack
    .command('show')
    .summary('show a pack, or a draft: keys, what it changes, who signed')
    .description(
      'Shows an organisation’s last pack that counts, the pack at a number (all of them where packs are forked), or a ' +
        'draft in a file, with what it changes.'
    )
    .argument('[org]', 'an organisation (default: this node’s own)')
    .argument('[pack]', 'the number of a pack, or the file of a draft')
    .addHelpText(
      'after',
      examples('anchormesh pack show', 'anchormesh pack show bakery 3', 'anchormesh pack show draft.json')
    )
    .action((first: string | undefined, second: string | undefined, _options: object, command: Command) =>
      runner.run(command, async (context) => {
        const asked = await askedFor([first, second].filter((text) => text !== undefined))
        const views = await withOperations(context, async (operations): Promise<readonly PackView[]> => {
          if (asked.file === undefined) return await operations.packs(asked)
          return [await operations.viewDraft(await readDraftFile(asked.file, context))]
        })
        if (context.json) for (const view of views) await context.output.json(view)
        else await context.output.line(views.map(packText).join('\n\n\n'))
      })
    )
}

/** Publishes where the keys of this machine are enough, else makes a draft. */
async function publishOrDraft(operations: Operations, options: PublishOptions): Promise<PublishedPack | DraftedPack> {
  const { out } = options
  const request = requestOf(options)
  const draft = async (): Promise<DraftedPack> =>
    out === undefined ? await operations.draftPack(request) : await draftInto(out, operations, request)
  if (options.recover === true) return await draft()
  try {
    return await operations.publishPack(request)
  } catch (error) {
    if (!(error instanceof AnchormeshError) || !lacksSignatures(error)) throw error
    return await draft()
  }
}

/** The file is made first: a draft that nobody can pass on would hold everything up. */
async function draftInto(out: string, operations: Operations, request: PublishPackRequest): Promise<DraftedPack> {
  return await writeNewFile(out, async (put) => {
    const drafted = await operations.draftPack(request)
    await put(draftText(drafted.draft))
    return drafted
  })
}

function lacksSignatures({ code, detail }: AnchormeshError): boolean {
  return (
    code === 'PACK_SIGNATURES_MISSING' ||
    (code === 'PUBLISH_REFUSED' && detail?.['code'] === 'PACK_THRESHOLD' && detail['candidates'] !== undefined)
  )
}

function requestOf({
  threshold,
  delta,
  validDays,
  with: named,
  discardDraft,
  recover
}: PublishOptions): PublishPackRequest {
  return {
    ...(threshold === undefined ? {} : { threshold }),
    ...(delta === undefined ? {} : { delta }),
    ...(validDays === undefined ? {} : { validDays }),
    ...(named === undefined ? {} : { with: named }),
    ...(discardDraft === undefined ? {} : { discardDraft }),
    ...(recover === undefined ? {} : { recover })
  }
}

function refuseMixed(options: PublishOptions): void {
  if (
    Object.keys(options).every(
      (name) => !['threshold', 'delta', 'validDays', 'with', 'out', 'discardDraft', 'recover'].includes(name)
    )
  )
    return
  throw new AnchormeshError('USAGE', 'a draft is published as it was signed: no options go with FILE', {
    hint: 'anchormesh pack publish FILE'
  })
}

async function askedFor(
  words: readonly string[]
): Promise<{ readonly orgId?: string; readonly packSeq?: number; readonly file?: string }> {
  const [first, second] = words
  if (first === undefined) return {}
  if (second !== undefined) return { orgId: orgOf(first), ...(await packOf(second)) }
  return (await isFile(first)) || isNumber(first) || first === '-' ? await packOf(first) : { orgId: orgOf(first) }
}

async function packOf(text: string): Promise<{ readonly packSeq: number } | { readonly file: string }> {
  return isNumber(text) && !(await isFile(text)) ? { packSeq: countArgument(text) } : { file: text }
}

const isNumber = (text: string): boolean => /^[0-9]+$/.test(text)

function orgOf(text: string): string {
  if (NAME_PATTERN.test(text)) return text
  throw new InvalidArgumentError(`${text} is neither an organisation, nor the number of a pack, nor a file.`)
}

function notePin({ orgId, packSeq, packHash }: DraftedPack, { json, output }: CommandContext): void {
  if (!json)
    output.note(`Before that, here and wherever it shall count: anchormesh trust pin ${orgId} ${packSeq} ${packHash}`)
}

async function showPublished(published: PublishedPack, { json, output }: CommandContext): Promise<void> {
  const { orgId, packSeq, packHash } = published
  const about = [
    ['organisation', orgId],
    ['pack', packSeq],
    ['hash', packHash]
  ] as const
  if (json) await output.json(published)
  else await output.line(publishedText(published, about))
  noteIfUnsent(published, output)
}

async function showDrafted(
  { orgId, packSeq, packHash, missing }: DraftedPack,
  out: string | undefined,
  { json, output, folder }: CommandContext
): Promise<void> {
  const file = out ?? dataPaths(folder).pendingPack
  if (json) return await output.json({ state: 'draft', orgId, packSeq, packHash, missing, file })
  await output.line(
    facts([
      ['organisation', orgId],
      ['draft of pack', packSeq],
      ['hash', packHash],
      ['file', file],
      ['signatures missing', missing.join(', ') || 'none']
    ])
  )
  output.note(
    missing.length === 0
      ? `It has all its signatures: anchormesh pack publish ${file}`
      : `Pass the file on: where these keys are, anchormesh pack sign ${file}; then anchormesh pack publish ${file}`
  )
}
