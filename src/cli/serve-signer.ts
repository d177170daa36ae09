import { dirname, join, resolve } from 'node:path'
import { ensureFolder } from '../platform/atomic-file.ts'
import { createLogger } from '../platform/logger.ts'
import { serveSigners } from '../signers/signer-server.ts'
import { localSigner } from '../trust/local-signer.ts'
import type { CommandContext } from './command.ts'
import { readKeystore } from './data-folder/keystore.ts'
import { dataPaths } from './data-folder/paths.ts'

/** Serves the keys of a keystore that sign until the command is interrupted. Throws as `readKeystore`; `PORT_IN_USE`. */
export async function serveKeystore(
  { folder, passphrases, signal, quiet, json, output }: CommandContext,
  options: { readonly socket?: string; readonly keystore?: string }
): Promise<void> {
  const path = resolve(options.socket ?? join(folder, 'run', 'signer.sock'))
  const keystore = await readKeystore(resolve(options.keystore ?? dataPaths(folder).keystore), passphrases)
  const held = keystore.keys.filter(({ purpose }) => purpose.some((use) => use !== 'peer'))
  const keys = held.map(({ kid, privateKey }) => {
    const signer = localSigner(new Uint8Array(Buffer.from(privateKey, 'base64url')))
    return { kid, publicKey: signer.publicKey, sign: (message: Uint8Array) => signer.sign(message) }
  })
  await ensureFolder(dirname(path))
  const server = await serveSigners(path, keys, createLogger(quiet ? 'error' : 'info'))
  const kids = keys.map(({ kid }) => kid)
  await (json
    ? output.json({ ready: true, socket: path, kids })
    : output.line(`ready socket=${path} keys=${kids.join()}`))
  const ended = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => ended.resolve(), { once: true })
  if (signal.aborted) ended.resolve()
  await ended.promise
  await server.close()
}
