import type { Command } from 'commander'
import { PROOF_BYTES_MAX, decodeProof } from '../../../protocols/proof/v1/proof.ts'
import { AnchormeshError, EXIT } from '../../platform/errors.ts'
import type { ProofReport } from '../../proofs/report.ts'
import { listArgument } from '../arguments.ts'
import type { CommandContext, RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { withInput } from '../input.ts'
import { keyArgument, ownerArgument } from '../proof-arguments.ts'
import type { TrustOptions } from '../proof-arguments.ts'
import { facts, shortDid, shortHash, table, time } from '../table.ts'

const EXIT_OF = { proven: EXIT.done, failed: EXIT.failed, undecided: EXIT.undecided } as const

/** `anchormesh verify`: checks a proof offline. */
export const registerVerify: RegisterVerb = (program, runner) => {
  program
    .command('verify')
    .summary('check the proof of one receipt, without a node')
    .description(
      'Checks a file that `query receipts --proof` wrote, step by step: the record, its place under the root, who ' +
        'announced the root, and each timestamp anchor. Needs no node, no network and no data folder, and believes ' +
        'nothing that the file says of itself: what it trusts is given here. With --data (or ANCHORMESH_DATA) it also ' +
        'trusts what that folder is configured with: roots, files of headers, keys, and which chains its namespaces ' +
        'accept. Ends with 0 where the receipt is proven, 1 where a step fails, 3 where nothing is wrong but ' +
        'something can not be decided here, 2 where the file is no proof.'
    )
    .argument('<file>', 'the proof, or - for standard input')
    .option(
      '--tsa-root <file>',
      'a root certificate that time-stamp tokens may lead to; can be given again',
      listArgument
    )
    .option('--tsa-certificate <file>', 'a certificate that may lead to such a root; can be given again', listArgument)
    .option(
      '--headers <file>',
      'Bitcoin headers that are known to be in the best chain; can be given again',
      listArgument
    )
    .option('--key <did#kid=key>', 'a key of a signer whose DID is no did:key; can be given again', keyArgument)
    .option('--owner <did>', 'a DID that speaks for the owner of the batch; can be given again', ownerArgument)
    .addHelpText(
      'after',
      examples('anchormesh verify invoice-1.json --tsa-root freetsa.pem', 'anchormesh verify invoice-1.json --json')
    )
    .action((file: string, options: TrustOptions, command: Command) =>
      runner.run(command, async (context) => {
        const bytes = await readProofFile(file, context)
        const { checkProof } = await import('../../proofs/check-proof.ts')
        const { proofTrust } = await import('../proof-trust.ts')
        const decoding = decodeProof(bytes)
        if (!decoding.ok) throw noProof(file, decoding)
        const isNamed = hasDataFolder(command.optsWithGlobals<{ readonly data?: string }>().data, context)
        const trust = await proofTrust(
          options,
          decoding.proof.owner,
          isNamed ? context.configSources : null,
          context.clock
        )
        const check = await checkProof(bytes, trust, context.signal)
        if (!check.ok) throw noProof(file, check)
        if (context.json) await context.output.json(check.report)
        else await context.output.line(reportText(check.report))
        return EXIT_OF[check.report.overall]
      })
    )
}

/** A data folder counts only where somebody named it, so that a check comes out alike wherever it is made. */
function hasDataFolder(flag: string | undefined, { environment }: CommandContext): boolean {
  return Boolean(flag) || Boolean(environment['ANCHORMESH_DATA'])
}

async function readProofFile(file: string, { stdin }: CommandContext): Promise<Uint8Array> {
  return await withInput(file, stdin, async ({ chunks }) => {
    const parts: Uint8Array[] = []
    let length = 0
    for await (const chunk of chunks) {
      parts.push(chunk)
      length += chunk.length
      // One byte more than a proof may have says all.
      if (length > PROOF_BYTES_MAX) break
    }
    return Buffer.concat(parts)
  })
}

function noProof(file: string, { code, detail }: { readonly code: string; readonly detail: string }): AnchormeshError {
  return new AnchormeshError('USAGE', `${file} is no proof: ${code}: ${detail}`, {
    hint: 'anchormesh query receipts --proof FILE writes one.',
    detail: { code }
  })
}

function reportText(report: ProofReport): string {
  const { namespace, owner, ownerDid, batchId, batchRoot, leafHash, provenTime, chainId, steps, claims } = report
  const about = facts([
    ['receipt', leafHash],
    ['batch', batchId],
    ['root', batchRoot],
    ['namespace', namespace],
    ['owner', owner],
    ['announced by', ownerDid],
    ['existed at', time(provenTime)],
    ['by', chainId],
    ['its writer says', claims === null ? null : `${claims.standing}: ${claims.reason} (no proof; ${claims.by})`]
  ])
  const rows = table(
    [
      { heading: 'STEP', cell: ({ step }) => step },
      { heading: 'OF', cell: ({ subject }) => shortSubject(subject) },
      { heading: 'OUTCOME', cell: ({ outcome }) => outcome },
      { heading: 'CODE', cell: ({ code }) => code },
      { heading: 'DETAIL', cell: ({ detail }) => detail }
    ],
    steps
  )
  return `${about}\n\n${rows}\n\n${report.conclusion}`
}

function shortSubject(subject: string | null): string {
  if (subject === null) return ''
  if (subject.startsWith('did:')) return shortDid(subject)
  return /^[0-9a-f]{64}$/.test(subject) ? shortHash(subject) : subject
}
