import { X509Certificate } from 'node:crypto'
import { toBase64url } from '../../../protocols/primitives/bytes.ts'
import type { TsaPolicy } from '../../../src/policy/policy.ts'

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** The certificates of PEM or DER files as policy holds them. */
export function certificatesOf(...contents: readonly (string | Uint8Array)[]): readonly string[] {
  const parts = contents.flatMap<string | Uint8Array>(
    (content) => Buffer.from(content).toString('latin1').match(PEM) ?? [content]
  )
  return parts.map((part) => toBase64url(new Uint8Array(new X509Certificate(part).raw)))
}

/** A policy with these roots that asks for nothing else but what `changes` says. */
export function tsaPolicy(roots: readonly string[], changes: Partial<TsaPolicy> = {}): TsaPolicy {
  return { roots, certificates: [], policies: [], ...changes }
}
