import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { Signer } from '../trust/signer.ts'
import type { DeliveryMembers, Exercise } from './drill-target.ts'
import { refusedWith, succeeded } from './replies.ts'
import type { StepResult } from './steps.ts'
import { tokenOf } from './target-calls.ts'

// Far beyond every skew that makes sense.
const LONG_AGO_MS = 86_400_000
// The two clocks need not be the same to the second.
const AFTER_EXPIRY_MS = 2_000
// A token lives for a minute (DE-13); who gives one for longer than this has something wrong.
const EXPIRY_WAIT_MS_MAX = 180_000

interface Held {
  readonly members: DeliveryMembers | null
  readonly token: string | null
}

/** Tries with a good token what the target has to refuse, each time for one reason only, and none of it uses the token up. */
export async function tryToCheat(
  { calls, steps, signer, ports }: Exercise,
  { members, token }: Held,
  register: (key: Signer) => Promise<StepResult<true>>
): Promise<void> {
  await steps.take('wrong-audience', [members, token], async (said, good) => {
    const { body } = await calls.makeDelivery(signer, { ...said, token: good, audience: calls.newKey().did })
    return refusedWith(await calls.deliver(body), 403, 'WRONG_AUDIENCE')
  })
  await steps.take('stale-request', [members, token], async (said, good) => {
    const ts = ports.clock.now() - LONG_AGO_MS
    const { body } = await calls.makeDelivery(signer, { ...said, token: good }, { ts })
    return refusedWith(await calls.deliver(body), 401, 'TIMESTAMP_SKEW')
  })
  await steps.take('altered-payload', [members, token], async (said, good) => {
    const { body } = await calls.makeDelivery(signer, { ...said, token: good })
    return refusedWith(await calls.deliver(altered(body)), 401, 'SIGNATURE_INVALID')
  })
  await steps.take('made-up-token', [members, token], async (said) => {
    const { body } = await calls.makeDelivery(signer, { ...said, token: calls.madeUpToken() })
    return refusedWith(await calls.deliver(body), 401, 'TOKEN_INVALID')
  })
  const thief = calls.newKey()
  const known = await steps.take('register-second', [members, token], () => register(thief))
  await steps.take('stolen-token', [members, token, known], async (said, good) => {
    const { body } = await calls.makeDelivery(thief, { ...said, token: good })
    return refusedWith(await calls.deliver(body), 401, 'TOKEN_INVALID')
  })
}

/** A token serves one delivery. */
export async function trySpentToken(
  { calls, steps, signer }: Exercise,
  { members, token, receipt }: Held & { readonly receipt: JsonObject | null }
): Promise<void> {
  await steps.take('spent-token', [members, token, receipt], async (said, spent) => {
    const { body } = await calls.makeDelivery(signer, { ...said, token: spent })
    return refusedWith(await calls.deliver(body), 401, 'TOKEN_INVALID')
  })
}

/** Has a token expire, and tries it. */
export async function waitForExpiry(
  { calls, steps, signer, ports }: Exercise,
  members: DeliveryMembers | null
): Promise<void> {
  const { clock, signal } = ports
  const given = await steps.take('second-challenge', [members], async ({ audience }) =>
    succeeded(await calls.challenge(signer, audience), 201, (reply) => tokenOf(reply) ?? undefined)
  )
  await steps.take('expired-token', [members, given], async (said, { token, expiresAt }) => {
    const waitMs = expiresAt - clock.now() + AFTER_EXPIRY_MS
    if (waitMs > EXPIRY_WAIT_MS_MAX)
      return { passed: false, code: 'TOKEN_LIVES_TOO_LONG', detail: `the token would live for another ${waitMs} ms` }
    await clock.sleep(Math.max(0, waitMs), signal)
    const { body } = await calls.makeDelivery(signer, { ...said, token })
    return refusedWith(await calls.deliver(body), 401, 'TOKEN_EXPIRED')
  })
}

/** The same body with another payload under the same signature. */
function altered(body: string): string {
  const value = JSON.parse(body) as { readonly signed: JsonObject; readonly signatures: unknown }
  return JSON.stringify({ ...value, signed: { ...value.signed, payload: { altered: true } } })
}
