import type { Signer } from '../trust/signer.ts'
import type { Exercise } from './drill-target.ts'
import { failedReply } from './replies.ts'

/**
 * Takes the drill's keys out of the target's register, also when the drill was interrupted; each exchange has its own
 * limit of time.
 */
export async function takeBack({ calls, steps, signer }: Exercise, registered: readonly Signer[]): Promise<void> {
  const anyway = calls.under(new AbortController().signal)
  for (const key of registered) {
    await steps.take(key === signer ? 'unregister' : 'unregister-second', [], async () => {
      const reply = await anyway.unregister(key)
      if (!reply.ok || reply.status >= 300) return failedReply(reply)
      return { passed: true, value: true, status: reply.status }
    })
  }
}
