import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as asn1js from 'asn1js'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { CertificateCache } from '../../src/timestamps/rfc3161/certificate-cache.ts'
import { verifyTimestampToken } from '../../src/timestamps/rfc3161/verify-token.ts'
import type { TokenRequest } from '../../src/timestamps/rfc3161/verify-token.ts'
import { certificatesOf, tsaPolicy } from '../timestamps/support/certificates.ts'
import { EXTENSIONS, KEYS, OpensslAuthorities, tokenOf } from '../timestamps/support/openssl-authority.ts'
import { opensslIsInstalled } from '../timestamps/support/openssl.ts'
import { queryDer, ROOT } from '../timestamps/support/query.ts'
import { cpuMicroseconds, median, report } from './report.ts'
import type { Figure } from './report.ts'

/**
 * What it costs to verify tokens of an authority that is known, in CPU time, beside `openssl ts -verify` on the same
 * tokens: N verifications in one process against N runs of the command less N of its starts. Rounds of both are
 * interleaved, so that a busy machine slows both.
 */
const TOKENS = 200
const ROUNDS = 5
const RATIO_MAX = 3

// Verifications of one round here: enough that the clock of CPU time, which ticks in milliseconds, does not matter.
const VERIFICATIONS = 10 * TOKENS

if (opensslIsInstalled()) await bench()
else console.log('rfc3161: skipped, because the openssl command is not installed')

async function bench(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'anchormesh-bench-'))
  try {
    const authorities = await OpensslAuthorities.in(folder)
    const figures: Figure[] = []
    for (const kind of ['rsa', 'p256'] as const) figures.push(...(await measure(kind, authorities, folder)))
    report('rfc3161', figures)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A root, an authority under it and a time-stamping authority under that, all with such keys. */
async function measure(
  kind: 'rsa' | 'p256',
  authorities: OpensslAuthorities,
  folder: string
): Promise<readonly Figure[]> {
  const key = KEYS[kind]
  await authorities.issue(`${kind}-root`, { key })
  await authorities.issue(`${kind}-middle`, { issuer: `${kind}-root`, key })
  await authorities.issue(`${kind}-tsa`, { issuer: `${kind}-middle`, key, extensions: EXTENSIONS.signer })
  const tokens: Uint8Array[] = []
  for (let index = 0; index < TOKENS; index += 1) {
    const token = tokenOf(await authorities.reply(queryDer(), `${kind}-tsa`, '-chain', `${kind}-middle.pem`))
    writeFileSync(join(folder, `${kind}-${index}.der`), token)
    tokens.push(token)
  }
  const policy = tsaPolicy(certificatesOf(await authorities.read(`${kind}-root.pem`)))
  const request = { expectedImprint: () => ROOT, tsaPolicy: policy, cache: new CertificateCache() }
  const cold = { expectedImprint: () => ROOT, tsaPolicy: policy }
  // The first round here compiles the code and fills the cache, as in a node that has run for some seconds.
  verifyAll(tokens, request, VERIFICATIONS)
  const here: number[] = []
  const command: number[] = []
  const uncached: number[] = []
  const asn1: number[] = []
  const check = `openssl ts -verify -token_in -in ${kind}-$i.der -digest ${toHex(ROOT)} -CAfile ${kind}-root.pem`
  for (let round = 0; round < ROUNDS; round += 1) {
    here.push((await cpuMicroseconds(async () => verifyAll(tokens, request, VERIFICATIONS))) / VERIFICATIONS)
    command.push((cpuOfRuns(check, folder) - cpuOfRuns('openssl version', folder)) / TOKENS)
    uncached.push((await cpuMicroseconds(async () => verifyAll(tokens, cold, TOKENS))) / TOKENS)
    // What the verifier would take at the least if it read tokens with the library that makes them.
    asn1.push((await cpuMicroseconds(async () => readAll(tokens))) / TOKENS)
  }
  return [
    { name: `${kind}: verification, certificates cached`, value: median(here), unit: 'µs CPU' },
    { name: `${kind}: openssl ts -verify, less its start`, value: median(command), unit: 'µs CPU' },
    {
      name: `${kind}: ratio`,
      value: median(here) / median(command),
      unit: '× openssl',
      bound: RATIO_MAX,
      compare: '<='
    },
    { name: `${kind}: verification, nothing cached`, value: median(uncached), unit: 'µs CPU' },
    { name: `${kind}: asn1js, reading the token alone`, value: median(asn1), unit: 'µs CPU' }
  ]
}

function verifyAll(tokens: readonly Uint8Array[], request: TokenRequest, count: number): void {
  for (let index = 0; index < count; index += 1) {
    const verdict = verifyTimestampToken(tokens[index % tokens.length] ?? new Uint8Array(), request)
    if (!verdict.ok) throw new Error(`${verdict.code}: ${verdict.detail}`)
  }
}

function readAll(tokens: readonly Uint8Array[]): void {
  for (const token of tokens) {
    const { offset } = asn1js.fromBER(token)
    if (offset !== token.length) throw new Error('asn1js does not read the token')
  }
}

/** CPU time of all runs of the command, with `$i` from 0, in microseconds; throws if one fails. */
function cpuOfRuns(command: string, folder: string): number {
  const script = `i=0; while [ $i -lt ${TOKENS} ]; do ${command} >/dev/null 2>&1 || exit 1; i=$((i+1)); done; times`
  const printed = execFileSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8' })
  // The second line is what the children took: user and system time.
  const [, children = ''] = printed.trim().split('\n')
  const seconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, minutes, rest]) => Number(minutes) * 60 + Number(rest)
  )
  return seconds.reduce((sum, value) => sum + value, 0) * 1_000_000
}
