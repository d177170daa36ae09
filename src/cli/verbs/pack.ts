import type { Command } from 'commander'
import type { RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { noteIfUnsent, publishedText } from '../published.ts'
import { withOperations } from '../with-operations.ts'
import { addPackSyncCommands } from './pack-sync.ts'

/** `anchormesh pack publish` and packs beside the mesh (`pack-sync.ts`): this organisation's trust anchors, signed and numbered. */
export const registerPack: RegisterVerb = (program, runner) => {
  const pack = program.command('pack').description('Anchor packs: the signed publications of an organisation’s keys.')
  pack
    .command('publish')
    .summary('publish the next anchor pack of this organisation')
    .description('Signs and publishes the next anchor pack of this node’s organisation: its keys and their state.')
    .addHelpText('after', examples('anchormesh pack publish'))
    .action((_options: object, command: Command) =>
      runner.run(command, async (context) => {
        const published = await withOperations(context, (operations) => operations.publishPack())
        const { orgId, packSeq, packHash } = published
        const about = [
          ['organisation', orgId],
          ['pack', packSeq],
          ['hash', packHash]
        ] as const
        if (context.json) await context.output.json(published)
        else await context.output.line(publishedText(published, about))
        noteIfUnsent(published, context.output)
      })
    )
  addPackSyncCommands(pack, runner)
}
