import { chmod, lstat, rm } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { fromBase64url, toBase64url } from '../../protocols/primitives/bytes.ts'
import { FrameReader, IN_FLIGHT_MAX, decodeRequest, encodeFrame } from '../../protocols/signer/v1/codec.ts'
import type { SignerAnswer, SignerErrorCode, SignerRequest } from '../../protocols/signer/v1/codec.ts'
import { errnoOf } from '../platform/atomic-file.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { Signer } from '../trust/signer.ts'

/** A node has one connection; commands beside it have one each for a moment. */
const CONNECTIONS_MAX = 16

/** A key that is served; `did` is named to the node where it is known. */
export type ServedKey = Pick<Signer, 'kid' | 'publicKey' | 'sign'> & { readonly did?: string }

export interface SignerServer {
  close(): Promise<void>
}

/** Serves the signers' keys at a Unix socket that only its owner can open. Throws `PORT_IN_USE` when one listens there. */
export async function serveSigners(path: string, signers: readonly ServedKey[], logger: Logger): Promise<SignerServer> {
  await clearStale(path)
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    serve(socket, signers, logger)
  })
  server.maxConnections = CONNECTIONS_MAX
  await listen(server, path)
  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of open) socket.destroy()
      await closed
    }
  }
}

/** What a killed process left behind is in the way of the next; a socket that somebody answers at is not. */
async function clearStale(path: string): Promise<void> {
  const there = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  })
  if (there === null) return
  const isAnswered = !there.isSocket() || (await answers(path))
  if (!isAnswered) {
    await rm(path, { force: true })
    return
  }
  throw new AnchormeshError('PORT_IN_USE', `${path} is ${there.isSocket() ? 'listened at already' : 'no socket'}`, {
    hint: 'Stop the other signer, or choose another path with --socket.'
  })
}

async function answers(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = createConnection({ path })
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

async function listen(server: Server, path: string): Promise<void> {
  // The socket must never be open to others, not even for a moment.
  const before = process.umask(0o177)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, () => resolve())
      process.umask(before)
    })
  } catch (error) {
    throw new AnchormeshError('PORT_IN_USE', `the signer can't listen at ${path}: ${messageOf(error)}`, {
      hint: 'Choose another path with --socket; it has at most about 100 characters.',
      cause: error
    })
  } finally {
    process.umask(before)
  }
  await chmod(path, 0o600)
}

function serve(socket: Socket, signers: readonly ServedKey[], logger: Logger): void {
  const frames = new FrameReader()
  let hasGreeted = false
  let underWay = 0
  const send = (answer: SignerAnswer): void => {
    if (!socket.destroyed) socket.write(encodeFrame(answer))
  }
  const refuse = (id: number | null, code: SignerErrorCode, detail: string): void =>
    send({ type: 'error', id, code, detail: detail.slice(0, 500) })
  const drop = (detail: string): void => {
    refuse(null, 'bad-request', detail)
    socket.end()
    socket.removeAllListeners('data')
    socket.resume()
  }
  const sign = async (request: Extract<SignerRequest, { type: 'sign' }>): Promise<void> => {
    const signer = signers.find(({ kid }) => kid === request.kid)
    if (signer === undefined) return refuse(request.id, 'kid-unknown', `there is no key ${request.kid} here`)
    if (underWay >= IN_FLIGHT_MAX) return refuse(request.id, 'busy', `${IN_FLIGHT_MAX} requests are under way`)
    underWay += 1
    try {
      const signature = await signer.sign(fromBase64url(request.message) ?? new Uint8Array())
      send({ type: 'signature', id: request.id, signature: toBase64url(signature) })
    } catch (error) {
      logger.warn({ kid: request.kid, reason: messageOf(error) }, 'a request could not be signed')
      refuse(request.id, 'refused', 'it could not be signed')
    } finally {
      underWay -= 1
    }
  }
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk) => {
    const payloads = frames.push(chunk)
    if (payloads === null) return drop('a frame has from 1 to 2097152 bytes')
    for (const payload of payloads) {
      const request = decodeRequest(payload)
      if (request === null || (request.type === 'hello') === hasGreeted) return drop('that is no request of signer/v1')
      if (request.type === 'sign') void sign(request)
      else {
        hasGreeted = true
        const keys = signers.map(({ did, kid, publicKey }) => ({
          ...(did === undefined ? {} : { did }),
          kid,
          publicKey: toBase64url(publicKey)
        }))
        send({ v: 1, type: 'hello', keys })
      }
    }
  })
}
