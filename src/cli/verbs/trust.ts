import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import { NAME_PATTERN } from '../../../protocols/event/v1/announce.ts'
import { HASH_PATTERN } from '../../../protocols/event/v1/envelope.ts'
import type { PinnedPack, TrustProof } from '../../packs/pack-operations.ts'
import type { ListedAnchor } from '../../packs/trust-anchors.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import { countArgument } from '../arguments.ts'
import type { CommandContext, RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { facts, table, time } from '../table.ts'
import { withOperations } from '../with-operations.ts'

/** `anchormesh trust`: whose keys count, the proof of one, and pins of packs. */
export const registerTrust: RegisterVerb = (program, runner) => {
  const trust = program
    .command('trust')
    .summary('the keys of organisations: list, prove, pin')
    .description('Trust anchors: the keys of organisations as their packs in force have them.')
    .addHelpText('after', examples('anchormesh trust list', 'anchormesh trust proof KID'))
  registerList(trust, runner)
  registerProof(trust, runner)
  registerPin(trust, runner)
}

const registerList: RegisterVerb = (trust, runner) => {
  trust
    .command('list')
    .summary('list the keys of organisations as their packs have them')
    .description(
      'Lists the keys that the packs in force give to organisations: their status, what they may sign, and the pack that ' +
        'last changed them. What an organisation has decided and not published yet is in its own keys list.'
    )
    .option('--org <org>', 'only this organisation', orgArgument)
    .addHelpText('after', examples('anchormesh trust list', 'anchormesh trust list --org bakery --json'))
    .action((options: { readonly org?: string }, command: Command) =>
      runner.run(command, async (context) => {
        const { listTrustAnchors } = await import('../../packs/trust-anchors.ts')
        const anchors = await withOperations(context, (operations) =>
          listTrustAnchors(operations, { orgId: options.org })
        )
        const { json, output } = context
        if (json) for (const anchor of anchors) await output.json(anchor)
        else if (anchors.length > 0) await output.line(anchorsTable(anchors))
        if (anchors.length === 0) output.note('No packs yet: the keys of peers.yaml count.')
      })
    )
}

const registerProof: RegisterVerb = (trust, runner) => {
  trust
    .command('proof')
    .summary('prove to others that a key is an organisation’s')
    .description(
      'Makes the inclusion proof of a key under the root of its organisation’s last pack, and checks it. With --json it ' +
        'holds all that a third party needs: the pack with its signatures, the key, and the path (event/v1, EV-38).'
    )
    .argument('<kid>', 'the key')
    .option('--org <org>', 'its organisation (default: this node’s own)', orgArgument)
    .addHelpText(
      'after',
      examples('anchormesh trust proof KID', 'anchormesh trust proof KID --org bakery --json > proof.json')
    )
    .action((kid: string, { org }: { readonly org?: string }, command: Command) =>
      runner.run(command, async (context) => {
        const { checkTrustProof } = await import('../../packs/trust-anchors.ts')
        const proof = await withOperations(context, (operations) =>
          operations.trustProof({ kid, ...(org === undefined ? {} : { orgId: org }) })
        )
        const checked = checkTrustProof(proof)
        if (!checked.ok) throw new AnchormeshError('INTERNAL', `the proof does not hold: ${checked.detail}`)
        if (context.json) await context.output.json(proof)
        else await context.output.line(proofText(proof))
      })
    )
}

const registerPin: RegisterVerb = (trust, runner) => {
  trust
    .command('pin')
    .summary('say which pack of an organisation is the one at its number')
    .description(
      'Pins a pack in peers.yaml, after you have compared its hash with the organisation by another way: it settles a ' +
        'fork, and recovers packs whose signers are lost. Comments stay, and nothing is written unless the whole ' +
        'configuration is valid with it.'
    )
    .argument('<org>', 'the organisation', orgArgument)
    .argument('<number>', 'the number of the pack', countArgument)
    .argument('<hash>', 'its hash, as `anchormesh pack show ORG NUMBER` has it', hashArgument)
    .addHelpText('after', examples('anchormesh trust pin bakery 3 HASH'))
    .action((orgId: string, packSeq: number, hash: string, _options: object, command: Command) =>
      runner.run(command, async (context) => {
        const pinned = await withOperations(context, (operations) => operations.pinPack({ orgId, packSeq, hash }))
        await showPinned(pinned, context)
      })
    )
}

async function showPinned(pinned: PinnedPack, { json, output, folder }: CommandContext): Promise<void> {
  const { orgId, packSeq, isKnown, isChanged, isInForce } = pinned
  if (json) await output.json(pinned)
  else await output.line(isChanged ? `Pinned pack ${packSeq} of ${orgId} in peers.yaml.` : 'It is pinned already.')
  if (!isKnown)
    output.note(`Warning: this node knows no such pack of ${orgId}. The pin is noted, and holds once one comes.`)
  const { readAdminFile } = await import('../data-folder/admin-file.ts')
  if (!isInForce && (await readAdminFile(folder)) !== null)
    output.note('A node is running on this folder: it takes this in when it is started again.')
}

function anchorsTable(anchors: readonly ListedAnchor[]): string {
  return table<ListedAnchor>(
    [
      { heading: 'ORGANISATION', cell: ({ orgId }) => orgId },
      { heading: 'KID', cell: ({ kid }) => kid },
      { heading: 'STATUS', cell: ({ status }) => status },
      { heading: 'USES', cell: ({ uses }) => uses.join(',') },
      { heading: 'PACK', cell: ({ packSeq }) => packSeq, align: 'right' },
      { heading: 'SINCE', cell: ({ updatedAt }) => time(updatedAt) },
      { heading: 'REASON', cell: ({ reason }) => reason }
    ],
    anchors
  )
}

function proofText(proof: TrustProof): string {
  const { orgId, key, packSeq, packHash, root, threshold, validUntil, index, treeSize } = proof
  return facts([
    ['organisation', orgId],
    ['key', key.kid],
    ['public key', key.publicKey],
    ['status', key.status],
    ['may sign', key.uses.join(', ')],
    ['pack', packSeq],
    ['pack hash', packHash],
    ['pack root', root],
    ['threshold', threshold],
    ['valid until', time(validUntil)],
    ['proof', `leaf ${index} of ${treeSize}, checked`]
  ])
}

function orgArgument(text: string): string {
  if (NAME_PATTERN.test(text)) return text
  throw new InvalidArgumentError('An organisation has letters, digits, . _ : # and -, at most 128.')
}

function hashArgument(text: string): string {
  if (HASH_PATTERN.test(text)) return text
  throw new InvalidArgumentError('A hash has 64 lower-case hex digits.')
}
