import { setImmediate as turn } from 'node:timers/promises'
import { restorePublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { SignatureThreads } from '../../src/platform/signature-threads.ts'
import type { SignatureJob } from '../../src/platform/signature-verifiers.ts'
import { keyOf } from '../protocols/vectors/vector-file.ts'

/** A program that waits for nothing but the answers of threads, and does not close them. */
const threads = new SignatureThreads({ clock: systemClock, logger: silentLogger })
threads.start()
while (threads.ready === 0) await turn()
const signer = keyOf('signature threads')
const payload = new Uint8Array(64)
const job: SignatureJob = {
  key: restorePublicKey(signer.publicKey),
  protected: null,
  payload,
  signature: signer.sign(payload)
}
const verdicts = await threads.verify(Array.from({ length: 100 }, () => job))
console.log(verdicts.filter(Boolean).length)
