import type { Command } from 'commander'
import type { CreatedToken, TokenView } from '../../access/token-operations.ts'
import { durationArgument, namespacesArgument, tenantArgument, tokenIdArgument } from '../arguments.ts'
import type { CommandContext, RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { table, time } from '../table.ts'
import { withOperations } from '../with-operations.ts'

interface CreateOptions {
  readonly namespace?: readonly string[]
  readonly tenant?: string
  readonly ttl?: number
  readonly handIn?: true
  readonly read: boolean
  readonly label?: string
}

/** `anchormesh tokens`: who may read over HTTP from elsewhere. */
export const registerTokens: RegisterVerb = (program, runner) => {
  const tokens = program
    .command('tokens')
    .summary('access tokens for apps: create, list, revoke')
    .description(
      'Access tokens for apps that read over HTTP from other machines, or hand in receipts. What a token shows are its ' +
        'namespaces, and nothing of others.'
    )
    .addHelpText('after', examples('anchormesh tokens create --namespace dao:vaultmesh', 'anchormesh tokens list'))
  registerCreate(tokens, runner)
  registerList(tokens, runner)
  registerRevoke(tokens, runner)
}

const registerCreate: RegisterVerb = (tokens, runner) => {
  tokens
    .command('create')
    .summary('make a token; it is shown this once')
    .description(
      'Makes an access token for namespaces of one tenant, or with --tenant alone for all of it, and prints it. The ' +
        'node keeps only a hash, so nobody can show it again.'
    )
    .option('--namespace <namespace>', 'it shows this namespace; can be given again', namespacesArgument)
    .option('--tenant <tenant>', 'it shows what belongs to this tenant as a whole, too', tenantArgument)
    .option('--ttl <time>', 'how long it is good for, such as 12h or 30d (default: 90d)', durationArgument)
    .option('--hand-in', 'it may hand in receipts for the next batch')
    .option('--no-read', 'it shows nothing (with --hand-in)')
    .option('--label <text>', 'what it is for')
    .addHelpText(
      'after',
      examples(
        'anchormesh tokens create --namespace dao:vaultmesh --label dashboard',
        'anchormesh tokens create --namespace dao:vaultmesh --hand-in --no-read --ttl 365d'
      )
    )
    .action((options: CreateOptions, command: Command) =>
      runner.run(command, async (context) => {
        const { namespace = [], tenant, ttl, label, handIn, read } = options
        const created = await withOperations(context, (operations) =>
          operations.createToken({
            namespaces: namespace,
            rights: [...(read ? (['read'] as const) : []), ...(handIn === true ? (['hand-in'] as const) : [])],
            ...(tenant === undefined ? {} : { tenant }),
            ...(ttl === undefined ? {} : { ttlMs: ttl }),
            ...(label === undefined ? {} : { label })
          })
        )
        await showCreated(created, context)
      })
    )
}

const registerList: RegisterVerb = (tokens, runner) => {
  tokens
    .command('list')
    .summary('list the tokens, without their secrets')
    .description(
      'Lists the access tokens with what they show and until when. When one was last used is known since the node was started.'
    )
    .addHelpText('after', examples('anchormesh tokens list', 'anchormesh tokens list --json'))
    .action((_options: object, command: Command) =>
      runner.run(command, async (context) => {
        const { json, output } = context
        const listed = await withOperations(context, (operations) => operations.tokens())
        if (json) for (const token of listed) await output.json(token)
        else if (listed.length > 0) await output.line(tokensTable(listed))
        if (listed.length === 0) output.note('No tokens: reading is open on this machine only.')
      })
    )
}

const registerRevoke: RegisterVerb = (tokens, runner) => {
  tokens
    .command('revoke')
    .summary('end a token now')
    .description('Ends a token: from now on it opens nothing, and streams that it opened end.')
    .argument('<id>', 'its id, the part before the dot', tokenIdArgument)
    .addHelpText('after', examples('anchormesh tokens revoke 0123456789abcdef'))
    .action((id: string, _options: object, command: Command) =>
      runner.run(command, async (context) => {
        const revoked = await withOperations(context, (operations) => operations.revokeToken(id))
        if (context.json) await context.output.json(revoked)
        else await context.output.line(`Revoked ${id}${revoked.label === null ? '' : ` (${revoked.label})`}.`)
      })
    )
}

/** The token alone on a line, so that a script can take it as it is. */
async function showCreated(created: CreatedToken, { json, output }: CommandContext): Promise<void> {
  if (json) return await output.json(created)
  await output.line(created.token)
  output.note(`It shows ${shownBy(created)}, until ${time(created.expiresAt)}. It can’t be shown again.`)
}

function shownBy({ namespaces, tenant, rights }: TokenView): string {
  const where = namespaces.length === 0 ? `all of ${tenant}` : namespaces.join(', ')
  return rights.includes('read') ? where : `nothing, and takes receipts for ${where}`
}

function tokensTable(tokens: readonly TokenView[]): string {
  return table<TokenView>(
    [
      { heading: 'ID', cell: ({ id }) => id },
      { heading: 'TENANT', cell: ({ tenant, wholeTenant }) => (wholeTenant ? `${tenant} (whole)` : tenant) },
      { heading: 'NAMESPACES', cell: ({ namespaces }) => (namespaces.length === 0 ? 'all' : namespaces.join(', ')) },
      { heading: 'RIGHTS', cell: ({ rights }) => rights.join(', ') },
      { heading: 'UNTIL', cell: ({ expiresAt, isExpired }) => (isExpired ? 'expired' : time(expiresAt)) },
      { heading: 'LAST USED', cell: ({ lastUsedAt }) => (lastUsedAt === null ? null : time(lastUsedAt)) },
      { heading: 'LABEL', cell: ({ label }) => label }
    ],
    tokens
  )
}
