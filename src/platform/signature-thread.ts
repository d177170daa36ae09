import { parentPort } from 'node:worker_threads'
import { SignatureBatch } from './signature-batch.ts'
import { sharedVerifier } from './shared-verifier.ts'

/** What a thread of `SignatureThreads` runs. It says `ready`, then the number of each batch of which it did the last. */
const verify = sharedVerifier()

parentPort?.on('message', ({ number, shared }: { readonly number: number; readonly shared: SharedArrayBuffer }) => {
  if (new SignatureBatch(shared).work(verify)) parentPort?.postMessage(number)
})
parentPort?.postMessage('ready')
