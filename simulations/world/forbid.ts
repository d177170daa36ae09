import childProcess from 'node:child_process'
import crypto from 'node:crypto'
import dgram from 'node:dgram'
import dns from 'node:dns'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import workers from 'node:worker_threads'
import zlib from 'node:zlib'

/** What is done in threads, and what draws from a generator that can't be seeded. */
const REFUSED_CRYPTO = new Set([
  'generateKeyPair',
  'generateKey',
  'generateKeySync',
  'generatePrime',
  'generatePrimeSync',
  'createECDH',
  'createDiffieHellman',
  'createDiffieHellmanGroup',
  'getDiffieHellman',
  'checkPrime',
  'argon2',
  'scrypt',
  'pbkdf2',
  'hkdf',
  'randomFill'
])

/**
 * Makes what no seed rules, or what completes in an order that none does, throw from now on: nodes of a simulation have memory for a disk
 * and wires of its own. All modules are loaded by then, and results are written by calls that end in `Sync`.
 */
export function forbidRealTime(): void {
  forbid('node:fs', fs, hasSync(fs))
  forbid('node:fs/promises', fs.promises)
  forbid('node:dns', dns)
  forbid('node:dns/promises', dns.promises)
  forbid('node:net', net, (name) => name === 'connect' || name === 'createConnection')
  forbid('node:dgram', dgram, (name) => name === 'createSocket')
  forbid('node:worker_threads', workers, (name) => name === 'Worker' || name === 'MessageChannel')
  forbid('node:child_process', childProcess, hasSync(childProcess))
  forbid('node:zlib', zlib, hasSync(zlib))
  forbid('node:crypto', crypto, (name) => REFUSED_CRYPTO.has(name))
  for (const name of ['sign', 'verify'] as const) forbidCallback('node:crypto', crypto, name)
  forbid('crypto.subtle', Object.getPrototypeOf(globalThis.crypto.subtle) as object)
  forbid('globalThis', globalThis, (name) => name === 'MessageChannel' || name === 'fetch' || name === 'WebSocket')
  syncBuiltinESMExports()
}

/** Of a function of which there is another form that is done when it returns. */
const hasSync =
  (holder: object) =>
  (name: string): boolean =>
    typeof Reflect.get(holder, `${name}Sync`) === 'function'

/** The function is done when it returns, unless it is given who to call. */
function forbidCallback(module: string, holder: object, name: string): void {
  const real: unknown = Reflect.get(holder, name)
  if (typeof real !== 'function') return
  Object.defineProperty(holder, name, {
    value: (...given: readonly unknown[]): unknown => {
      if (typeof given.at(-1) === 'function') throw refusal(module, name)
      return Reflect.apply(real, holder, given)
    }
  })
}

const refusal = (module: string, name: string): Error =>
  new Error(`${module} ${name} can't be used in a simulation: no seed rules what comes of it, or when`)

function forbid(module: string, holder: object, which: (name: string) => boolean = () => true): void {
  for (const name of Object.getOwnPropertyNames(holder)) {
    const own = Object.getOwnPropertyDescriptor(holder, name)
    if (typeof own?.value !== 'function' || name === 'constructor' || !which(name)) continue
    const refuse = (): never => {
      throw refusal(module, name)
    }
    Object.defineProperty(holder, name, { ...own, value: refuse })
  }
}
