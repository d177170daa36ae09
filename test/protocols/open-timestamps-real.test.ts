import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { encodeOtsProof, parseOtsProof } from '../../protocols/bitcoin-evidence/v1/open-timestamps.ts'
import type { OtsProof, OtsTimestamp } from '../../protocols/bitcoin-evidence/v1/open-timestamps.ts'
import type { OtsAttestation } from '../../protocols/bitcoin-evidence/v1/ots-attestation.ts'
import { pendingAttestations } from '../../protocols/bitcoin-evidence/v1/ots-upgrade.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { describeThirdParty } from './third-party.ts'

function proofOf(path: string): OtsProof {
  const bytes = readFileSync(path)
  const reading = parseOtsProof(bytes)
  if (!reading.ok) throw new Error(reading.detail)
  expect(toHex(encodeOtsProof(reading.proof))).toBe(toHex(bytes))
  return reading.proof
}

/** As the client of OpenTimestamps in JavaScript prints it. */
function infoOf({ timestamp }: OtsProof): string {
  return `File sha256 hash: ${toHex(timestamp.message)}\nTimestamp:\n${linesOf(timestamp, '').join('\n')}\n`
}

function linesOf({ branches }: OtsTimestamp, indent: string): readonly string[] {
  return branches.flatMap((branch) => {
    if ('attestation' in branch) return [`${indent}verify ${textOf(branch.attestation)}`]
    const { operation, timestamp } = branch
    const text = 'argument' in operation ? `${operation.name} ${toHex(operation.argument)}` : operation.name
    if (branches.length === 1) return [indent + text, ...linesOf(timestamp, indent)]
    return [`${indent} -> ${text}`, ...linesOf(timestamp, `${indent}    `)]
  })
}

function textOf(attestation: OtsAttestation): string {
  return attestation.kind === 'pending' ? `PendingAttestation('${attestation.uri}')` : attestation.kind
}

describeThirdParty('bitcoin/ots-client-examples', (folder) => {
  const names = readdirSync(folder).filter((name) => name.endsWith('.ots'))

  test.each(names)('%s is read, and written again with the same bytes', (name) => {
    const { hash, timestamp } = proofOf(join(folder, name))
    expect(hash).toBe('sha256')
    expect(toHex(timestamp.message)).toBe(toHex(sha256(readFileSync(join(folder, name.replace(/\.ots$/, ''))))))
  })

  test.each(readdirSync(join(folder, 'invalid')).filter((name) => name.endsWith('.ots')))('%s is refused', (name) => {
    expect(parseOtsProof(readFileSync(join(folder, 'invalid', name)))).toMatchObject({
      ok: false,
      code: 'OTS_MALFORMED'
    })
  })

  test.each([
    ['incomplete.txt.ots', ['alice']],
    ['two-calendars.txt.ots', ['alice', 'bob']],
    ['known-and-unknown-notary.txt.ots', ['bob']],
    ['unknown-notary.txt.ots', []],
    ['hello-world.txt.ots', []]
  ])('the promises of %s', (name, calendars) => {
    const promises = pendingAttestations(proofOf(join(folder, name)))
    expect(promises.map(({ uri }) => uri)).toEqual(
      calendars.map((calendar) => `https://${calendar}.btc.calendar.opentimestamps.org`)
    )
  })
})

describeThirdParty('bitcoin/ots-js-examples', (folder) => {
  test.each(readdirSync(folder).filter((name) => name.endsWith('.info')))('the tree of %s', (name) => {
    const proof = join(folder, '..', 'ots-client-examples', name.replace(/\.info$/, ''))
    expect(existsSync(proof)).toBe(true)
    expect(infoOf(proofOf(proof))).toBe(readFileSync(join(folder, name), 'utf8'))
  })

  test('a digest by RIPEMD-160', () => {
    const { hash, timestamp } = proofOf(join(folder, 'ripemd160', 'README.md.ots'))
    expect(hash).toBe('ripemd160')
    expect(timestamp.message.length).toBe(20)
  })
})
