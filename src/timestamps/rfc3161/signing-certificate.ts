import { equalBytes } from '../../../protocols/primitives/bytes.ts'
import { digestOf, hashOf, readAlgorithm } from './algorithms.ts'
import type { HashName } from './algorithms.ts'
import type { Certificate } from './certificate.ts'
import { contextConstructed, DerReader, latin1, TAG } from './der.ts'
import type { DerValue } from './der.ts'
import { ATTRIBUTE } from './signed-data.ts'
import type { SignerInfo } from './signed-data.ts'

/** Whether SignerInfo's identifier names the certificate (RFC 5652 5.3). */
export function isNamedBy({ identifier }: SignerInfo, certificate: Certificate): boolean {
  if ('issuer' in identifier) {
    return identifier.issuer === certificate.issuer && equalBytes(identifier.serialNumber, certificate.serialNumber)
  }
  const { subjectKeyIdentifier } = certificate
  return subjectKeyIdentifier !== undefined && equalBytes(identifier.subjectKeyIdentifier, subjectKeyIdentifier)
}

/**
 * What is wrong with the binding of the token to its signing certificate; null when it holds (SPEC TE-11). Both
 * attributes bind if both are there. Throws a `DerError` where an attribute has no such form.
 */
export function bindingProblem({ attributes }: SignerInfo, certificate: Certificate): string | null {
  const v1 = attributes.get(ATTRIBUTE.signingCertificate)
  const v2 = attributes.get(ATTRIBUTE.signingCertificateV2)
  if (v1 === undefined && v2 === undefined) return 'no ESSCertID says which certificate signed'
  return (
    (v1 === undefined ? null : attributeProblem('ESSCertID', v1, certificate)) ??
    (v2 === undefined ? null : attributeProblem('ESSCertIDv2', v2, certificate))
  )
}

/** SigningCertificate (RFC 2634 5.4) and SigningCertificateV2 (RFC 5035 3): the first entry is the signer's. */
function attributeProblem(
  name: 'ESSCertID' | 'ESSCertIDv2',
  values: readonly DerValue[],
  certificate: Certificate
): string | null {
  const [value] = values
  if (value === undefined || values.length > 1 || value.tag !== TAG.sequence) return `${name}: not one value`
  const entries = new DerReader(value.content).inside(TAG.sequence, name)
  if (entries.done) return `${name}: names no certificate`
  const entry = entries.inside(TAG.sequence, name)
  const hash = name === 'ESSCertID' ? 'sha1' : readHash(entry)
  if (hash === null) return `${name}: a hash algorithm that does not count`
  if (!equalBytes(entry.value(TAG.octetString, name).content, digestOf(hash, certificate.bytes))) {
    return `${name}: the hash of another certificate`
  }
  const issuerSerial = entry.optional(TAG.sequence, name)
  entry.end(name)
  return issuerSerial === undefined || namesSame(issuerSerial, certificate, name)
    ? null
    : `${name}: issuer or serial number of another certificate`
}

/** RFC 5035 4: SHA-256, unless another one is named. */
function readHash(entry: DerReader): HashName | null {
  return entry.tag === TAG.sequence ? hashOf(readAlgorithm(entry, 'ESSCertIDv2')) : 'sha256'
}

/** IssuerSerial (RFC 5035 5): one directoryName, `[4]` around the Name, and the serial number. */
function namesSame({ content }: DerValue, certificate: Certificate, name: string): boolean {
  const reader = new DerReader(content)
  const names = reader.inside(TAG.sequence, name)
  const serialNumber = reader.value(TAG.integer, name).content
  reader.end(name)
  const directoryName = names.optional(contextConstructed(4), name)
  if (directoryName === undefined || !names.done) return false
  return latin1(directoryName.content) === certificate.issuer && equalBytes(serialNumber, certificate.serialNumber)
}
