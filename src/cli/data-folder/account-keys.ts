import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { FederationConfig } from '../../policy/config-schema.ts'
import type { PolicyProblem } from '../../policy/policy.ts'
import { unreadable } from './named-files.ts'
import { octal } from './owner-only.ts'

/** An account that pays for timestamp anchors. */
export interface PayingAccount {
  readonly privateKey: Uint8Array
  /** Public: 40 hex digits. */
  readonly address: string
}

/** By the id of the chain, as `rails.eip155` has it. */
export type PayingAccounts = ReadonlyMap<string, PayingAccount>

/** The bits of a file's mode that let others than its owner in. */
const OTHERS = 0o077

/**
 * The accounts whose key files `rails.eip155` names, read with the rest of the configuration, so that a reload notices
 * another key in the same file. Relative names are looked for in `folder`.
 */
export async function readPayingAccounts(
  { rails }: Pick<FederationConfig, 'rails'>,
  folder: string
): Promise<{ readonly accounts: PayingAccounts; readonly problems: readonly PolicyProblem[] }> {
  const accounts = new Map<string, PayingAccount>()
  const problems: PolicyProblem[] = []
  for (const [chain, { account }] of Object.entries(rails.eip155)) {
    if (account === undefined) continue
    const file = resolve(folder, account.keyFile)
    const read = await readAccount(file)
    if (read.ok) accounts.set(chain, read.account)
    else {
      const path = ['rails', 'eip155', chain, 'account', 'keyFile']
      problems.push({ file: 'federation.yaml', path, message: read.message, code: read.code })
    }
  }
  return { accounts, problems }
}

type AccountReading =
  { readonly ok: true; readonly account: PayingAccount } | ({ readonly ok: false } & ReturnType<typeof unreadable>)

async function readAccount(file: string): Promise<AccountReading> {
  const refused = (message: string): AccountReading => ({ ok: false, message, code: 'FILE_INVALID' })
  let mode: number
  let text: string
  try {
    mode = (await stat(file)).mode & 0o777
    text = await readFile(file, 'utf8')
  } catch (error) {
    return { ok: false, ...unreadable(file, error) }
  }
  // Windows has no such bits.
  if (process.platform !== 'win32' && (mode & OTHERS) !== 0)
    return refused(`names ${file}, which has permissions ${octal(mode)} and can be read by others: chmod 600 ${file}`)
  // The curve takes a tenth of a second to load, and most nodes pay for nothing.
  const { addressOfKey, parsePrivateKey } = await import('../../timestamps/clients/evm-draft.ts')
  const privateKey = parsePrivateKey(text)
  if (privateKey === null) return refused(`names ${file}, which holds no private key: 64 hex digits`)
  return { ok: true, account: { privateKey, address: addressOfKey(privateKey) } }
}
