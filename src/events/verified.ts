import type { DecodedEvent, DecodedSignature } from '../../protocols/event/v1/codec.ts'
import type { CheckedPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import type { SignatureJob, SignatureVerifiers } from '../platform/signature-verifiers.ts'
import { verifyJob } from '../platform/signature-verifiers.ts'
import { chainIdOf } from './chain.ts'

declare const verified: unique symbol

/**
 * An event all of whose signatures were found good under keys bound to its signer. Only this file makes one.
 */
export type VerifiedEvent = DecodedEvent & {
  /** The name of the chain that it belongs to (`chainIdOf`). */
  readonly chain: string
  readonly [verified]: true
}

export type SignatureCheck =
  | { readonly ok: true; readonly event: VerifiedEvent }
  | { readonly ok: false; readonly code: 'SIGNATURE_INVALID' | 'KEY_UNKNOWN' | 'KEY_WEAK'; readonly detail: string }

/** The keys of a kid (several after a forked pack chain), or why there is none: unknown so far, or weak for ever. */
export type KeyLookup =
  | {
      readonly ok: true
      readonly keys: readonly CheckedPublicKey[]
      /** Whether the kid may get further keys, so that a signature that fits none of these may be good all the same. */
      readonly mayGrow: boolean
    }
  | { readonly ok: false; readonly code: 'KEY_UNKNOWN' | 'KEY_WEAK'; readonly detail: string }

/** An event whose signatures are to be checked under the keys that `find` gives for a kid. */
export interface SignatureRequest {
  readonly event: DecodedEvent
  readonly find: (kid: string) => KeyLookup
  readonly resolve: (check: SignatureCheck) => void
  readonly reject: (error: unknown) => void
}

type Checking = Generator<SignatureJob, SignatureCheck, boolean>

/**
 * Checks every signature of the event under the keys that `find` gives for its kid, at once and in this thread. One of
 * them has to fit. The envelope's own kid comes first: what the body says of others is not worth work before that.
 * `SIGNATURE_INVALID` is for ever; where further keys may come it is `KEY_UNKNOWN`. `onVerifying` is called before each
 * verification.
 */
export function verifySignatures(
  event: DecodedEvent,
  find: (kid: string) => KeyLookup,
  onVerifying: () => void = () => {}
): SignatureCheck {
  const checking = checkingOf(event, find, onVerifying)
  return finish(checking, checking.next())
}

/**
 * Checks many events as `verifySignatures` does each, with `verifiers`: what they answer together is asked together. As
 * soon as fewer than `least` have something left to ask (further keys, further signatures), it is done here.
 */
export async function verifySignaturesOfMany(
  requests: readonly SignatureRequest[],
  { verifiers, least, onVerifying }: SharedVerification
): Promise<void> {
  let open: OpenRequest[] = []
  for (const request of requests) {
    const checking = checkingOf(request.event, request.find, onVerifying)
    advance({ request, checking }, () => checking.next(), open)
  }
  while (open.length >= least) {
    const asked = open
    open = []
    const answers = await verifiers.verify(asked.map(({ job }) => job)).catch((error: unknown) => {
      for (const { request } of asked) request.reject(error)
      return null
    })
    if (answers === null) return
    for (const [index, one] of asked.entries()) advance(one, () => one.checking.next(answers[index] === true), open)
  }
  for (const { request, checking, job } of open) {
    try {
      request.resolve(finish(checking, checking.next(verifyJob(job))))
    } catch (error) {
      request.reject(error)
    }
  }
}

/** How many events share their verification. */
export interface SharedVerification {
  readonly verifiers: SignatureVerifiers
  readonly least: number
  readonly onVerifying: () => void
}

interface OpenRequest {
  readonly request: SignatureRequest
  readonly checking: Checking
  readonly job: SignatureJob
}

/** Takes the next step of an event: answers it, or adds what it asks next to `open`. */
function advance(
  { request, checking }: Omit<OpenRequest, 'job'>,
  next: () => IteratorResult<SignatureJob, SignatureCheck>,
  open: OpenRequest[]
): void {
  try {
    const step = next()
    if (step.done === true) request.resolve(step.value)
    else open.push({ request, checking, job: step.value })
  } catch (error) {
    request.reject(error)
  }
}

function finish(checking: Checking, from: IteratorResult<SignatureJob, SignatureCheck>): SignatureCheck {
  let step = from
  while (step.done !== true) step = checking.next(verifyJob(step.value))
  return step.value
}

/** What is to be verified for an event, one after the other, and what the answers mean. */
function* checkingOf(event: DecodedEvent, find: (kid: string) => KeyLookup, onVerifying: () => void): Checking {
  for (const { kid, protected: header, signature } of ownFirst(event)) {
    const found = find(kid)
    if (!found.ok) return found
    onVerifying()
    let fits = false
    for (const key of found.keys) {
      fits = yield { key, protected: header, payload: event.canonical, signature }
      if (fits) break
    }
    if (fits) continue
    return found.mayGrow
      ? { ok: false, code: 'KEY_UNKNOWN', detail: `no key that kid ${kid} has so far fits the event` }
      : { ok: false, code: 'SIGNATURE_INVALID', detail: `the signature of kid ${kid} does not fit the event` }
  }
  return { ok: true, event: asVerified(event) }
}

function ownFirst({ envelope, signatures }: DecodedEvent): readonly DecodedSignature[] {
  if (signatures.length === 1) return signatures
  const { kid: own } = envelope
  return signatures.toSorted((left, right) => Number(right.kid === own) - Number(left.kid === own))
}

/**
 * Takes an event back that this node's own log holds: its signatures were good when it was appended, and the log's hash
 * chain covers its bytes.
 */
export function fromOwnLog(event: DecodedEvent): VerifiedEvent {
  return asVerified(event)
}

function asVerified({ id, envelope, canonical, wire, signatures }: DecodedEvent): VerifiedEvent {
  return { id, envelope, canonical, wire, signatures, chain: chainIdOf(envelope) } as VerifiedEvent
}
